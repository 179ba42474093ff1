"""What a new configuration changes in the one in force. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from schemas.config import Configuration
from streams.config import shapes, writing
from streams.config.models import SECTIONS, Section
from streams.config.topic import KINDS, Kind, identity

What = Literal["added", "changed", "removed"]

SIGNS: dict[What, str] = {"added": "+", "changed": "~", "removed": "-"}

#: A value in the words of a difference is cut here.
SHOWN = 60

EMPTY = Configuration(generation=0, sources=(), apps=(), partners=(), postbacks=())


@dataclass(frozen=True)
class Change:
    """One thing that is added, changed or removed; `details` say what changes in it."""

    what: What
    kind: str
    id: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = f"{SIGNS[self.what]} {self.kind} {self.id}"
        return f"{words}: {', '.join(self.details)}" if self.details else words


@dataclass(frozen=True)
class Difference:
    """Everything that changes, by kind in the order of the sections; false when nothing does."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def of(self, what: What) -> tuple[Change, ...]:
        """The changes of one sort."""
        return tuple(change for change in self.changes if change.what == what)

    def words(self) -> list[str]:
        """A line for each change."""
        return [str(change) for change in self.changes]


def difference(current: Configuration | None, new: Configuration) -> Difference:
    """What `new` changes in `current` (None: there is none yet).

    The order of items says nothing, but that of sources does.
    """
    before = current or EMPTY
    changes: list[Change] = []
    for kind in KINDS.values():
        changes.extend(_section(kind, before, new))
    return Difference(tuple(changes))


def _section(kind: Kind, before: Configuration, after: Configuration) -> Iterator[Change]:
    old = {identity(kind, item): item for item in getattr(before, kind.section)}
    new = {identity(kind, item): item for item in getattr(after, kind.section)}
    order = [name for name in old if name in new] != [name for name in new if name in old]
    for name, item in new.items():
        if name not in old:
            yield Change("added", kind.name, name)
        elif item != old[name]:
            model = SECTIONS[kind.section]
            then, now = writing.written(old[name], before), writing.written(item, after)
            details = tuple(_details(model, then, now)) or ("its partner's template",)
            yield Change("changed", kind.name, name, details)
        elif order and kind.name == "source":
            yield Change("changed", kind.name, name, ("order",))
    for name in old:
        if name not in new:
            yield Change("removed", kind.name, name)


def _details(model: type[Section], then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for key in model.model_fields:
        old, new = (_value(model, key, values) for values in (then, now))
        if old != new:
            yield f"{key} {old} → {new}"


def _value(model: type[Section], key: str, values: dict[str, Any]) -> str:
    value = values[key] if key in values else shapes.default(model, key)
    if key not in values and value is None:
        return "(default)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
