"""A configuration as records of the config topic, and back. Pure.

A generation is a record for each source, app, partner and postback, with the key `<generation>/<kind>/<id>`, closed
by one with the key `generation/<generation>` that counts them. Every apply writes a whole new generation in one
transaction, so a reader switches from one whole configuration to the next and never sees half of one. Keys are unique
to their generation: compaction takes nothing away until a tombstone says so, and the newest `KEPT` generations are
kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from schemas.config import App, Configuration, Generation, Partner, Postback, Source

#: So many generations stay in the topic, so that a job can be explained by the configuration that decided it.
KEPT = 16

GENERATION = "generation"


class Kind(NamedTuple):
    """A kind of configured thing: its name in keys, the structure, the field that names it, its place in a
    `Configuration`.
    """

    name: str
    structure: type[Source] | type[App] | type[Partner] | type[Postback]
    id_field: str
    section: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("source", Source, "topic", "sources"),
        Kind("app", App, "id", "apps"),
        Kind("partner", Partner, "id", "partners"),
        Kind("postback", Postback, "id", "postbacks"),
    )
}

#: Key and value of a record; the value None is a tombstone.
Record = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Refused:
    """A record or a generation that cannot be used, and why; the configuration in force stays."""

    reason: str
    generation: int | None = None

    def __str__(self) -> str:
        return self.reason if self.generation is None else f"generation {self.generation}: {self.reason}"


def identity(kind: Kind, item: Source | App | Partner | Postback) -> str:
    """What names an item among its kind."""
    return str(getattr(item, kind.id_field))


def items(configuration: Configuration) -> Iterator[tuple[Kind, str, Any]]:
    """Everything in a configuration with its kind and id, in its order."""
    for kind in KINDS.values():
        for item in getattr(configuration, kind.section):
            yield kind, identity(kind, item), item


def encode(configuration: Configuration, applied_at: int) -> list[Record]:
    """The records of a generation, in the order in which they must be written: the generation record last."""
    counts = dict.fromkeys(KINDS, 0)
    records: list[Record] = []
    for kind, name, item in items(configuration):
        counts[kind.name] += 1
        records.append((f"{configuration.generation}/{kind.name}/{name}".encode(), msgspec.json.encode(item)))
    closing = Generation(generation=configuration.generation, applied_at=applied_at, counts=counts)
    return [*records, (f"{GENERATION}/{configuration.generation}".encode(), msgspec.json.encode(closing))]


def outdated(keys: Iterable[bytes], newest: int) -> list[Record]:
    """Tombstones for every key of a generation that is no longer kept when `newest` is the newest."""
    return [(key, None) for key in keys if (of := generation_of(key)) is not None and of <= newest - KEPT]


def generation_of(key: bytes) -> int | None:
    """The generation that a key of the topic belongs to; None for a key that is none of ours."""
    parsed = _parse_key(key)
    return parsed and parsed[0]


class Reader:
    """Puts generations together from the topic's records, fed in order.

    A generation that is incomplete or has a record that cannot be read is refused whole when its generation record
    comes. What it keeps in memory are the records of generations that are not closed yet.
    """

    def __init__(self) -> None:
        self._open: dict[int, dict[tuple[str, str], bytes]] = {}

    def feed(self, key: bytes | None, value: bytes | None) -> Configuration | Refused | None:
        """Take the next record.

        Returns a configuration when the record closes a good generation, why when it cannot be used.
        """
        parsed = _parse_key(key)
        if parsed is None:
            return Refused(f"a record with the key {key!r} is no part of a configuration")
        generation, kind, name = parsed
        if value is None:
            # A generation that is no longer kept: what is left of it must not be taken for an incomplete one.
            self._open.pop(generation, None)
            return None
        if kind != GENERATION:
            self._open.setdefault(generation, {})[kind, name] = value
            return None
        found = self._open.pop(generation, {})
        # Whatever an earlier generation left open will never be closed.
        self._open = {number: records for number, records in self._open.items() if number > generation}
        try:
            return _assemble(generation, msgspec.json.decode(value, type=Generation), found)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Refused(str(error), generation)


def _assemble(generation: int, closing: Generation, found: dict[tuple[str, str], bytes]) -> Configuration:
    """The configuration that `closing` closes. Raises ValueError or msgspec's errors with what is wrong."""
    if closing.generation != generation:
        raise ValueError(f"its generation record says {closing.generation}")
    sections: dict[str, list[Any]] = {kind.section: [] for kind in KINDS.values()}
    for (kind_name, name), value in found.items():
        kind = KINDS.get(kind_name)
        if kind is None:
            raise ValueError(f"a record of the kind {kind_name!r}, which this version does not know")
        item = _decode(kind, name, value)
        sections[kind.section].append(item)
    for kind in KINDS.values():
        count, expected = len(sections[kind.section]), closing.counts.get(kind.name, 0)
        if count != expected:
            raise ValueError(f"incomplete: {count} of {expected} {kind.section}")
    configuration = Configuration(generation=generation, **{name: tuple(found) for name, found in sections.items()})
    _check_references(configuration)
    return configuration


def _decode(kind: Kind, name: str, value: bytes) -> Source | App | Partner | Postback:
    try:
        item = msgspec.json.decode(value, type=kind.structure)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{kind.name} {name} cannot be read: {error}") from error
    if identity(kind, item) != name:
        raise ValueError(f"{kind.name} {name} calls itself {identity(kind, item)}")
    return item


def _check_references(configuration: Configuration) -> None:
    apps = {app.id for app in configuration.apps}
    partners = {partner.id for partner in configuration.partners}
    for postback in configuration.postbacks:
        if postback.app not in apps:
            raise ValueError(f"postback {postback.id} is of the app {postback.app}, which is not in it")
        if postback.partner not in partners:
            raise ValueError(f"postback {postback.id} is of the partner {postback.partner}, which is not in it")


def _parse_key(key: bytes | None) -> tuple[int, str, str] | None:
    """Generation, kind and id; for a generation record the kind `generation` and no id."""
    try:
        first, _, rest = (key or b"").decode().partition("/")
    except UnicodeDecodeError:
        return None
    if first == GENERATION:
        return (int(rest), GENERATION, "") if _is_number(rest) else None
    kind, slash, name = rest.partition("/")
    return (int(first), kind, name) if _is_number(first) and kind and slash and name else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
