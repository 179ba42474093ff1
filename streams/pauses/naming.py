"""Whom an operator means: a partner by its id or an alias, or a postback by its id. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.config import Configuration
from schemas.control import Target, TargetKind
from streams.config.problems import did_you_mean


class Unclear(NamedTuple):
    """The name means nobody, or more than one; `remedy` says what to write."""

    message: str
    remedy: str


def find(
    name: str, configuration: Configuration | None, kind: TargetKind | None = None, written: Iterable[Target] = ()
) -> Target | Unclear:
    """Whom `name` means. `kind`: only one of that kind. `written`: targets of the control topic, which may be of what
    is not configured any more.
    """
    known = _names(configuration, written)
    found = [target for target in known.get(name, ()) if kind in (None, target.kind)]
    if len(found) == 1:
        return found[0]
    if found:
        told = " and ".join(f"the {one.kind} {one.id}" for one in found)
        return Unclear(f"{name} is {told}", "say which: --partner or --postback")
    fitting = [one for one, targets in known.items() if kind is None or any(each.kind == kind for each in targets)]
    what = kind or "partner or postback"
    listed = ", ".join(sorted(fitting)) or "none: `ringback apply DIR` puts a configuration in force"
    return Unclear(f"there is no {what} {name}", did_you_mean(name, fitting) or f"there are {listed}")


def _names(configuration: Configuration | None, written: Iterable[Target]) -> dict[str, list[Target]]:
    """Every name, and whom it means; a partner's id goes before another one's alias."""
    known: dict[str, list[Target]] = {}

    def add(name: str, target: Target) -> None:
        meant = known.setdefault(name, [])
        if all(target.kind != one.kind for one in meant):
            meant.append(target)

    partners = configuration.partners if configuration else ()
    for partner in partners:
        add(partner.id, Target("partner", partner.id))
    for partner in partners:
        for alias in partner.aliases:
            add(alias, Target("partner", partner.id))
    for postback in configuration.postbacks if configuration else ():
        add(postback.id, Target("postback", postback.id))
    for target in written:
        if target.kind in ("partner", "postback"):
            # A purge is no other meaning of its name.
            add(target.id, target)
    return known
