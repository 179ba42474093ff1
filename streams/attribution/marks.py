"""Small sets in bytes: what a device has to remember of ids and names, at 8 bytes of hash each.

Two different texts share a hash once in 2⁶⁴ pairs; that is accepted.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

WIDTH = 8
_MINUTE = 60_000
_SEEN = WIDTH + 4
_minute = struct.Struct(">I")


def mark(text: str) -> bytes:
    """The 8 bytes that stand for a text."""
    return blake2b(text.encode(), digest_size=WIDTH).digest()


def has(marks: bytes, wanted: bytes, width: int = WIDTH) -> bool:
    """Whether `wanted` is among the marks, which stand at multiples of `width`."""
    found = marks.find(wanted)
    while found > 0 and found % width:
        found = marks.find(wanted, found + 1)
    return found >= 0


def has_seen(seen: bytes, wanted: bytes) -> bool:
    """Whether a record's mark is among those seen."""
    return has(seen, wanted, _SEEN)


def see(seen: bytes, new: bytes, at: int, oldest: int | None) -> bytes:
    """The marks seen with a new one, of a record of own time `at`, without old ones.

    One is kept at least while its record's time is not before `oldest` (None: for ever). It may stay longer: times
    are kept in minutes, rounded up, and only the head is cut off, where the oldest are but for disorder. That cannot
    be noticed, because a record so old is too late before it is a duplicate.
    """
    start = 0
    if oldest is not None:
        while start < len(seen) and _minute.unpack_from(seen, start + WIDTH)[0] * _MINUTE < oldest:
            start += _SEEN
    return seen[start:] + new + _minute.pack(-(-at // _MINUTE))
