"""Small sets in bytes: what a device has to remember of ids and names, as hashes.

A name has 8 bytes: two different ones share them once in 2⁶⁴ pairs. An id has 6, for there are many: of two records of
a device, one is taken for a duplicate of the other once in 2⁴⁸ pairs. Both are accepted.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

WIDTH = 8
SEEN_WIDTH = 6
_MINUTE = 60_000
#: The ids of a dedup window are remembered in so many bundles: the oldest is forgotten as a whole.
_BUNDLES = 8
#: A copy is made faster than a new one.
_BLANK = blake2b(digest_size=WIDTH)


class Seen(msgspec.Struct, array_like=True, gc=False):
    """A bundle of ids: the newest own time among their records, in minutes, rounded up; and their marks."""

    until: int
    marks: bytes


def mark(text: str) -> bytes:
    """The 8 bytes that stand for a text."""
    one = _BLANK.copy()
    one.update(text.encode())
    return one.digest()


def place(marks: bytes, wanted: bytes, width: int = WIDTH) -> int:
    """How many marks stand before `wanted`; -1 when it is not among them. Marks stand at multiples of `width`."""
    found = marks.find(wanted)
    while found > 0 and found % width:
        found = marks.find(wanted, found + 1)
    return found // width


def has_seen(seen: list[Seen], wanted: bytes) -> bool:
    """Whether a record's mark is among those seen."""
    short = wanted[:SEEN_WIDTH]
    for bundle in seen:
        marks = bundle.marks
        if short in marks and place(marks, short, SEEN_WIDTH) >= 0:
            return True
    return False


def see(seen: list[Seen], new: bytes, at: int, oldest: int | None, window: int) -> bool:
    """Add the mark of a record of own time `at`, and drop old ones. Returns whether any were dropped.

    One is kept at least while its record's time is not before `oldest` (None: for ever). It may stay longer: a bundle
    spans up to an eighth of `window`, and is dropped as a whole. That cannot be noticed, because a record so old is too
    late before it is a duplicate.
    """
    dropped = False
    if oldest is not None and _is_over(seen, oldest):
        kept = [bundle for bundle in seen if bundle.until * _MINUTE >= oldest]
        dropped, seen[:] = True, kept
    minute, span = -(-at // _MINUTE), window // (_BUNDLES * _MINUTE) or 1
    if seen and minute // span <= (last := seen[-1]).until // span:
        last.marks += new[:SEEN_WIDTH]
        if minute > last.until:
            last.until = minute
    else:
        seen.append(Seen(minute, new[:SEEN_WIDTH]))
    return dropped


def _is_over(seen: list[Seen], oldest: int) -> bool:
    """Whether a bundle was over before `oldest`. They are in no order in what version 1 has stored."""
    for bundle in seen:  # noqa: SIM110 -- done for every record, and faster than `any`
        if bundle.until * _MINUTE < oldest:
            return True
    return False


def count_seen(seen: list[Seen]) -> int:
    """How many ids are remembered."""
    return sum(len(bundle.marks) for bundle in seen) // SEEN_WIDTH
