"""Checks of what Ringback is told: its settings, its configuration, its secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from schemas.config import Configuration, Generation
from streams import kafka
from streams.config import topic
from streams.config.compacted import read_to_end
from streams.delivery.secrets import SecretMissing, Secrets
from streams.errors import Stop
from streams.postbacks.index import Index
from streams.settings import SettingsError, load
from streams.templates import references
from streams.templates.errors import TemplateErrors

from . import egress
from .findings import Finding, ok, warning, wrong
from .site import Site

#: The topic is read whole, and an apply may be under way.
LEAST_SECONDS = 5.0

_ALL_THERE = {0: "none are needed", 1: "the one that is needed has a value"}


def settings(site: Site) -> Iterator[Finding]:
    """All that is wrong with the settings at once."""
    try:
        found = load()
        kafka.check(found)
    except SettingsError as error:
        yield from (wrong(problem) for problem in error.problems)
        return
    except Stop as stop:
        yield wrong(stop.message, stop.remedy)
        return
    site.found_settings = found
    given = sorted(found.model_fields_set)
    yield ok(f"{len(given)} given, the others have their defaults: {', '.join(given)}" if given else "all defaults")


class Applied(NamedTuple):
    """What the config topic holds: the newest good generation, when it was applied (ms), and what was refused after
    it.
    """

    configuration: Configuration | None = None
    at: int = 0
    refused: tuple[topic.Refused, ...] = ()


def newest(records: Iterable[topic.Record | tuple[bytes | None, bytes | None]]) -> Applied:
    """Read the records of the config topic, in order."""
    reader = topic.Reader()
    applied = Applied()
    for key, value in records:
        found = reader.feed(key, value)
        if isinstance(found, Configuration):
            applied = Applied(found, msgspec.json.decode(value or b"", type=Generation).applied_at)
        elif found is not None:
            applied = applied._replace(refused=(*applied.refused, found))
    return applied


def configuration(site: Site) -> Iterator[Finding]:
    """The generation in force, and whether the processes can use it."""
    name = site.names().config
    apply = "ringback apply DIR"
    if name not in site.look([name]):
        yield wrong(f"nothing was applied yet: the topic {name} is not there", apply)
        return
    applied = newest(read_to_end(site.settings, name, max(LEAST_SECONDS, site.timeout)))
    for refused in applied.refused:
        yield wrong(f"cannot be used: {refused}", f"{apply} writes a new generation")
    live = applied.configuration
    if live is None:
        yield wrong("nothing was applied yet; workers wait and read nothing", apply)
        return
    site.found_configuration = live
    try:
        Index(live)
    except TemplateErrors as error:
        yield wrong(f"generation {live.generation} has a postback that cannot be used: {error}", apply)
        return
    at = datetime.fromtimestamp(applied.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    counts = ", ".join(
        f"{count} {kind.section if count != 1 else kind.name}"
        for kind in topic.KINDS.values()
        if (count := len(getattr(live, kind.section)))
    )
    yield ok(f"generation {live.generation}, applied {at}: {counts}")


def needed(live: Configuration) -> dict[str, list[str]]:
    """The references that requests need, each with the partners and postbacks that have it."""
    wanted: dict[str, list[str]] = {}
    active = [postback for postback in live.postbacks if postback.status == "active"]
    users = {postback.partner for postback in active}
    things: list[tuple[str, Any]] = [
        (f"partner {one.id}", (one.fields, one.signing_secrets)) for one in live.partners if one.id in users
    ]
    things += [(f"postback {one.id}", msgspec.to_builtins(one.endpoint)) for one in active]
    for owner, thing in things:
        for text in _texts(thing):
            for reference in references.references(text):
                owners = wanted.setdefault(reference, [])
                owners += [owner] if owner not in owners else []
    return wanted


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for part in (*thing.keys(), *thing.values()):
            yield from _texts(part)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _texts(part)


def secrets(site: Site) -> Iterator[Finding]:
    """Whether this environment has a value for each reference. Never tells one."""
    wanted = needed(site.configuration)
    resolve = Secrets()
    there = 0
    for reference, owners in wanted.items():
        try:
            resolve(reference)
            there += 1
        except SecretMissing:
            kind, _, name = reference.partition(":")
            what = f"export {name}" if kind == "env" else f"put the secret into {name}, readable and not empty"
            yield warning(
                f"no value for ${{{reference}}} here, which is needed by {', '.join(owners)}",
                f"on the senders' machines: {what}; without it these postbacks wait",
            )
    if there == len(wanted):
        yield ok(_ALL_THERE.get(there, f"all {there} have a value"))


def egress_(site: Site) -> Iterator[Finding]:
    """Whether senders with this environment would call the addresses that postbacks name."""
    yield from egress.findings(site.configuration.postbacks, site.settings.egress_allow)
