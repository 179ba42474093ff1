"""The names that somebody filters by, beside those of the configuration. Pure.

Receipts outlive what they are of, so a name that is not configured is no mistake, only likely one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.config import Configuration
from streams.config.problems import did_you_mean


class Meant(NamedTuple):
    """The names as receipts have them, and what to say about those that are not configured."""

    names: frozenset[str]
    doubts: tuple[str, ...]


def meant(what: str, written: Iterable[str], known: Mapping[str, str]) -> Meant:
    """`known`: by what may be written, the name that receipts have. `what`: such as `partner`, for the doubts."""
    names, doubts = set(), []
    for one in written:
        names.add(known.get(one, one))
        if one not in known:
            near = did_you_mean(one, known)
            doubts.append(f"there is no {what} {one} in the configuration" + (f"; {near}" if near else ""))
    return Meant(frozenset(names), tuple(doubts))


def partners(configuration: Configuration) -> dict[str, str]:
    """Partners' ids by id and alias."""
    found = {alias: one.id for one in configuration.partners for alias in one.aliases}
    return found | {one.id: one.id for one in configuration.partners}


def postbacks(configuration: Configuration) -> dict[str, str]:
    """Postbacks' ids."""
    return {one.id: one.id for one in configuration.postbacks}


def apps(configuration: Configuration) -> dict[str, str]:
    """Apps' ids."""
    return {one.id: one.id for one in configuration.apps}
