"""Pauses, holds and purges of partners and postbacks, as they cross the control topic (contract §2): compacted, the
last one wins.

A pause and a hold of the same target have keys of their own. So an operator's pause stands whatever a sender that has
not heard of it yet writes about a Retry-After, and a hold stands beside a pause. So have purges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, cast, get_args

import msgspec

#: What a control is of. Purges have keys of their own, so that neither a pause nor its end takes one away.
TargetKind = Literal["partner", "postback", "purge-partner", "purge-postback"]
#: The kind of a purge's target, by that of what is purged.
PURGES: dict[Literal["partner", "postback"], TargetKind] = {"partner": "purge-partner", "postback": "purge-postback"}
#: Which of the two records of a target.
Part = Literal["pause", "hold"]

_HOLD = "hold/"


class Control(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What holds a partner or a postback. A tombstone, like one with only defaults, lets it go.

    `paused` is an operator's, or follows a 410, and lasts until it is taken back; `hold_until` (milliseconds) ends by
    itself; `purge_before` (milliseconds) belongs to the purges: what was decided, or replayed, before it and has not
    ended is not sent any more. `reason` is for people; `since` is when it was written (milliseconds).
    """

    paused: bool = False
    hold_until: int | None = None
    purge_before: int | None = None
    reason: str = ""
    since: int | None = None


class Target(NamedTuple):
    """What is paused, held or purged."""

    kind: TargetKind
    id: str

    def key(self, part: Part = "pause") -> bytes:
        """The key of one of its records in the topic."""
        return f"{_HOLD if part == 'hold' else ''}{self.kind}/{self.id}".encode()


class Entry(NamedTuple):
    """What a record says: of which target, which part of it, and what that is now (None: nothing)."""

    target: Target
    part: Part
    control: Control | None


class Unreadable(ValueError):
    """A record of the control topic that cannot be used; what its target had stays."""


def encode(target: Target, control: Control | None, part: Part = "pause") -> tuple[bytes, bytes | None]:
    """A record's key and value; None clears."""
    return target.key(part), None if control is None else msgspec.json.encode(control)


def decode(key: bytes | None, value: bytes | None) -> Entry:
    """What a record says. Raises `Unreadable`."""
    try:
        written = (key or b"").decode()
        part: Part = "hold" if written.startswith(_HOLD) else "pause"
        kind, slash, name = written.removeprefix(_HOLD).partition("/")
        if kind not in get_args(TargetKind) or not slash or not name:
            kinds = ", ".join(f"{one}/<id>" for one in get_args(TargetKind))
            raise Unreadable(f"the key {key!r} is none of {kinds}, nor a hold/ of one")
        target = Target(cast(TargetKind, kind), name)
        return Entry(target, part, None if value is None else msgspec.json.decode(value, type=Control))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"{key!r}: {error}") from error


class Records:
    """The newest record of each part of each target: what the topic says as far as it has been read."""

    def __init__(self) -> None:
        self._parts: dict[Target, dict[Part, Control]] = {}

    def take(self, entry: Entry) -> None:
        """The next record."""
        parts = self._parts.setdefault(entry.target, {})
        known = parts.pop(entry.part, None)
        if entry.control is not None:
            # Of two senders that were told to wait, the one that was told so last need not have the longer hold.
            longer = known if known is not None and entry.part == "hold" else entry.control
            parts[entry.part] = max(entry.control, longer, key=lambda one: one.hold_until or 0)
        if not parts:
            del self._parts[entry.target]

    def parts(self, target: Target) -> Mapping[Part, Control]:
        """What is written of a target, part by part."""
        return self._parts.get(target, {})

    def of(self, target: Target) -> Control | None:
        """What is in force for a target: pause and hold as one. A pause's reason goes before a hold's."""
        parts = self._parts.get(target, {})
        found = list(parts.values())
        if len(found) < 2:
            return found[0] if found else None
        pause, hold = parts["pause"], parts["hold"]
        until = max(pause.hold_until or 0, hold.hold_until or 0) or None
        told = pause if pause.paused else hold
        return Control(paused=pause.paused or hold.paused, hold_until=until, reason=told.reason, since=told.since)

    def targets(self) -> list[Target]:
        """Those of which anything is written."""
        return list(self._parts)
