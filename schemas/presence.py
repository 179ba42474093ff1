"""What sender processes tell each other, some times a second, to keep a partner's limits together (contract §7)."""

from __future__ import annotations

import msgspec

#: Whoever says more (ms) would keep others from what it has left for as long.
LONGEST_LEASE = 10_000


class Wish(msgspec.Struct, array_like=True, frozen=True):
    """What a process wants of one partner's limits and takes of them.

    `need` and `part` are parts of its `rate_limit`: what could be used, and what is used at most. `slots` of its
    `max_in_flight`, where it is too small to give each process a part.
    """

    need: float
    part: float
    slots: int = 0


class Presence(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A process that sends. `process` is made up anew each time it joins the group; `number` counts its messages.

    `share` is its part of the delivery partitions. `rest` is what it uses at most of the `rate_limit` of each partner
    that is not in `partners`. With `leaving` it uses nothing any more. What it says it uses for `lease` milliseconds at
    most, unless it says it again; those that say nothing of it are of a version that uses it for the default.
    """

    process: str
    number: int
    share: float
    rest: float = 0.0
    partners: dict[str, Wish] = {}
    leaving: bool = False
    lease: int = 1_500


def encode(presence: Presence) -> bytes:
    """A record's value."""
    return msgspec.json.encode(presence)


def decode(value: bytes | None) -> Presence | None:
    """What a record says; None when it is none, or says what cannot be."""
    try:
        found = msgspec.json.decode(value or b"", type=Presence)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    parts = [found.share, found.rest]
    for wish in found.partners.values():
        parts += [wish.need, wish.part]
    if not 0 < found.lease <= LONGEST_LEASE:
        return None
    sound = all(0.0 <= part <= 1.0 for part in parts) and all(wish.slots >= 0 for wish in found.partners.values())
    return found if sound else None
