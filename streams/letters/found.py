"""Dead letters as they lie in their topic: where, what they say, and which of them are done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from schemas.dead_letter import DeadLetter, Note

#: How a note begins; whoever looks for notes decodes nothing else.
_NOTE = b'{"kind":"note"'
_letter = msgspec.json.Decoder(DeadLetter).decode
_note = msgspec.json.Decoder(Note).decode
_encode = msgspec.json.Encoder().encode


class Address(NamedTuple):
    """Where a letter lies in its topic; written `3:4711`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Found(NamedTuple):
    """A letter and its address."""

    address: Address
    letter: DeadLetter


def address(written: str) -> Address | None:
    """The address that is written so; None when it is none."""
    partition, colon, offset = written.partition(":")
    if not (colon and partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    # No offset has more digits; Python would spend its time on longer ones.
    return Address(int(partition), int(offset)) if len(partition) <= 9 and len(offset) <= 18 else None


def is_note(value: bytes | None) -> bool:
    """Whether a record of the topic is no letter but a note."""
    return value is not None and value.startswith(_NOTE)


def letter(value: bytes | None) -> DeadLetter | None:
    """The letter in a record of the topic; None for what is none. Never raises."""
    if value is None or is_note(value):
        return None
    try:
        return _letter(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def note(value: bytes | None) -> Note | None:
    """The note in a record of the topic; None for what is none. Never raises."""
    if not is_note(value):
        return None
    try:
        return _note(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def encode(made: Note) -> bytes:
    """A note as the value of a record."""
    return _encode(made)


def runs(offsets: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Offsets as runs of a first and a last one, both included, in order."""
    found: list[tuple[int, int]] = []
    for offset in sorted(set(offsets)):
        if found and offset == found[-1][1] + 1:
            found[-1] = found[-1][0], offset
        else:
            found.append((offset, offset))
    return tuple(found)


class Done:
    """Which letters have been replayed or purged, as their notes say: a byte for each offset from those on that are
    read.
    """

    def __init__(self, firsts: Mapping[int, int]) -> None:
        #: By partition the offset that its bytes begin with.
        self._firsts = dict(firsts)
        self._flags = {partition: bytearray() for partition in firsts}
        #: How many letters were marked as what.
        self.counts = {"replayed": 0, "purged": 0}

    def take(self, at: Address, made: Note) -> None:
        """The note that lies at `at`: it can only speak of what lies before it."""
        flags, first = self._flags[at.partition], self._firsts[at.partition]
        for begin, end in _within(made, first, at.offset - 1):
            if end - first >= len(flags):
                flags.extend(bytes(end - first + 1 - len(flags)))
            new = end - begin + 1 - flags.count(1, begin - first, end - first + 1)
            flags[begin - first : end - first + 1] = b"\1" * (end - begin + 1)
            self.counts[made.done] += new

    def __contains__(self, at: Address) -> bool:
        flags = self._flags.get(at.partition, b"")
        place = at.offset - self._firsts.get(at.partition, 0)
        return 0 <= place < len(flags) and flags[place] == 1


def concerns(made: Note, note_at: Address, at: Address) -> bool:
    """Whether a note speaks of the letter at `at`."""
    return note_at.partition == at.partition and any(
        first <= at.offset <= last for first, last in _within(made, at.offset, note_at.offset - 1)
    )


def _within(made: Note, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The note's runs, as far as they lie between two offsets."""
    for begin, end in made.offsets:
        begin, end = max(begin, first), min(end, last)
        if begin <= end:
            yield begin, end
