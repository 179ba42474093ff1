"""What a new configuration changes in the one in force, in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, NamedTuple

import msgspec

from schemas.config import App, Configuration, Partner, Postback, Source
from streams.config import shapes
from streams.config.models import SECTIONS, Section
from streams.config.topic import KINDS, Kind, identity

What = Literal["added", "changed", "removed"]

#: Two values of at most so many characters stand beside each other on the line; longer ones each have a line.
SHORT = 24
#: What fits stands in one line of so many characters.
WIDTH = 80
INDENT = "    "
#: A value is cut here.
SHOWN = 600

EMPTY = Configuration(generation=0, sources=(), apps=(), partners=(), postbacks=())

#: Containers → how one thing in them is called.
ONE_OF = {
    "api_keys": "API key",
    "fields": "field",
    "headers": "header",
    "mapping": "field",
    "parameters": "parameter",
    "templates": "template",
}
#: Keys → what it means that there is no value.
NOTHING = {"campaign": "every one", "rate_limit": "no limit", "live_from": "from the beginning"}

#: What tells most of a parameter, and of an API key (a reference).
TELLING = frozenset({"value", "key"})

_DURATION = re.compile(r"(\d+)(ms|[smhd])")
_UNITS = {"m": "min"}


class Detail(NamedTuple):
    """A key that changes: `path` leads to it (`templates`, `install`, `url`); values as they stand in YAML, None: has
    none, or has no such thing.
    """

    what: What
    path: tuple[str, ...]
    was: Any
    now: Any

    @property
    def key(self) -> str:
        """The place as it is written for programs."""
        return ".".join(self.path)

    @property
    def name(self) -> str:
        """The place in words; nothing for a status, which says itself what it is."""
        if self.path == ("status",):
            return ""
        parts = self.path
        if parts[0] == "parameters" and parts[-1] == "value":
            # There is hardly anything else to a parameter.
            parts = parts[:-1]
        own = {number for number, part in enumerate(parts) if number and parts[number - 1] in ONE_OF}
        return " ".join(
            part if number in own else ONE_OF.get(part, part.replace("_", " ")) for number, part in enumerate(parts)
        )

    def values(self) -> tuple[str, str]:
        """Both values in words."""
        return _words(self.path, self.was), _words(self.path, self.now)

    @property
    def is_short(self) -> bool:
        """Whether it fits into a line with others."""
        return all(len(one) <= SHORT for one in self.values())

    def __str__(self) -> str:
        was, now = self.values()
        if self.what != "changed":
            value = now if self.what == "added" else ""
            return f"{self.name} {self.what}" + (f" ({value})" if value and len(value) <= SHORT else "")
        if not self.is_short:
            return f"{self.name} changed"
        return f"{self.name} {was} → {now}".lstrip()

    def below(self) -> list[str]:
        """The lines with values that are too long to stand beside others."""
        if self.is_short:
            return []
        was, now = self.values()
        lines = {"was": None if self.what == "added" else was, "now": None if self.what == "removed" else now}
        return [f"{word} {value}" for word, value in lines.items() if value is not None]


@dataclass(frozen=True)
class Change:
    """One thing that is added, changed or removed; `details` say what changes in it."""

    what: What
    kind: str
    id: str
    details: tuple[Detail, ...] = ()
    #: Among its kind the order changes.
    order: bool = False

    def __str__(self) -> str:
        head = f"{self.kind} {self.id}:"
        if not self.details:
            return f"{head} {'order' if self.order else self.what}"
        line = f"{head} {', '.join(map(str, self.details))}"
        if len(self.details) == 1:
            return "\n".join([line, *(INDENT + one for one in self.details[0].below())])
        if len(line) <= WIDTH and all(one.is_short for one in self.details):
            return line
        below = ((INDENT + str(one), *(2 * INDENT + line for line in one.below())) for one in self.details)
        return "\n".join([head, *chain.from_iterable(below)])


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
        """What each change is, in words; the lines behind the first of one are indented."""
        return [str(change) for change in self.changes]

    def plain(self) -> list[dict[str, Any]]:
        """For programs: what `words` says, with the values as they stand in YAML."""
        return [
            {
                "what": change.what,
                "kind": change.kind,
                "id": change.id,
                "details": [
                    {"what": one.what, "key": one.key, "was": one.was, "now": one.now} for one in change.details
                ],
            }
            for change in self.changes
        ]


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
    model = SECTIONS[kind.section]
    for name, item in new.items():
        if name not in old:
            yield Change("added", kind.name, name)
        elif item != old[name]:
            details = tuple(_details((), _whole(model, old[name]), _whole(model, item)))
            yield Change("changed", kind.name, name, details)
        elif order and kind.name == "source":
            yield Change("changed", kind.name, name, order=True)
    for name in old:
        if name not in new:
            yield Change("removed", kind.name, name)


def _whole(model: type[Section], item: Source | App | Partner | Postback) -> dict[str, Any]:
    """An item with every key, as it would stand in YAML; a postback with its partner's template as its own."""
    values = _plain(item)
    if isinstance(item, Postback):
        values |= values["endpoint"]
    return shapes.write(model, values)


def _plain(value: Any) -> Any:
    """A value whose structs are mappings, defaults included."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _details(path: tuple[str, ...], was: Any, now: Any) -> Iterator[Detail]:
    """Where two values differ, as deep as there are names."""
    old, new = _named(path, was), _named(path, now)
    if old is None or new is None:
        yield Detail("changed", path, was, now)
        return
    for name in [*old, *(name for name in new if name not in old)]:
        inner = (*path, name)
        if name not in old or name not in new:
            what: What = "removed" if name in old else "added"
            yield Detail(what, inner, old.get(name), new.get(name))
        elif old[name] != new[name]:
            yield from _details(inner, old[name], new[name])


def _named(path: tuple[str, ...], value: Any) -> Mapping[str, Any] | None:
    """What a value consists of by name; None for one that is told whole."""
    if path and path[-1] == "body":
        return None
    if isinstance(value, dict):
        return value
    if path and path[-1] in ONE_OF and isinstance(value, list):
        found = {one.get("name", one.get("id")): one for one in value}
        return found if len(found) == len(value) else None
    return None


def _words(path: tuple[str, ...], value: Any) -> str:
    key = path[-1]
    if value is None or value == [] or value == {}:
        return NOTHING.get(key, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and "url" in value and key != "body":
        text = f"{value.get('method', 'GET')} {value['url']}"
    elif isinstance(value, dict) and key != "body" and (telling := value.keys() & TELLING):
        text = str(value[telling.pop()])
    elif isinstance(value, list) and all(isinstance(one, str | int) for one in value) and key != "body":
        text = ", ".join(map(str, value))
    elif isinstance(value, str):
        own = len(path) > 1 and path[-2] in ONE_OF
        text = value if own or not _DURATION.fullmatch(value) else _duration(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    # A text from a file may hold what would move the cursor.
    clean = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return clean if len(clean) <= SHOWN else clean[:SHOWN] + "…"


def _duration(text: str) -> str:
    number, unit = _DURATION.fullmatch(text).groups()  # type: ignore[union-attr]
    return f"{number} {_UNITS.get(unit, unit)}"
