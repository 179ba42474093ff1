"""Pauses and holds of partners and postbacks, as they cross the control topic (contract §2): compacted, the last one
wins.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast, get_args

import msgspec

TargetKind = Literal["partner", "postback"]


class Control(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What holds a partner or a postback. A tombstone, like one with only defaults, lets it go.

    `paused` is an operator's, or follows a 410, and lasts until it is taken back; `hold_until` (milliseconds) ends by
    itself; `reason` is for people.
    """

    paused: bool = False
    hold_until: int | None = None
    reason: str = ""


class Target(NamedTuple):
    """What is paused or held."""

    kind: TargetKind
    id: str

    def key(self) -> bytes:
        """Its key in the topic."""
        return f"{self.kind}/{self.id}".encode()


class Unreadable(ValueError):
    """A record of the control topic that cannot be used; what its target had stays."""


def encode(target: Target, control: Control | None) -> tuple[bytes, bytes | None]:
    """A record's key and value; None clears."""
    return target.key(), None if control is None else msgspec.json.encode(control)


def decode(key: bytes | None, value: bytes | None) -> tuple[Target, Control | None]:
    """What a record says. Raises `Unreadable`."""
    try:
        kind, slash, name = (key or b"").decode().partition("/")
        if kind not in get_args(TargetKind) or not slash or not name:
            raise Unreadable(f"the key {key!r} is neither partner/<id> nor postback/<id>")
        target = Target(cast(TargetKind, kind), name)
        return target, None if value is None else msgspec.json.decode(value, type=Control)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"{key!r}: {error}") from error
