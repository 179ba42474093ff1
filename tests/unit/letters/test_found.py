"""Addresses, notes, and which letters they speak of."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import DeadLetter, Note
from streams.delivery import receipts
from streams.letters import found
from streams.letters.found import Address, Done

OFFSETS = st.integers(0, 300)


def note(*offsets: int, done: str = "replayed") -> Note:
    return Note(kind="note", done=done, offsets=found.runs(offsets), at=1, by="me@here")  # type: ignore[arg-type]


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**18 - 1))
def test_an_address_is_read_as_it_is_written(partition: int, offset: int) -> None:
    assert found.address(str(Address(partition, offset))) == Address(partition, offset)


@given(st.text(alphabet="0123456789:-+٣² a", max_size=30))
def test_what_is_read_as_an_address_is_one(written: str) -> None:
    at = found.address(written)
    if at is not None:
        assert [int(part) for part in written.split(":")] == list(at)
        assert written.replace(":", "").isdecimal()


@given(st.lists(OFFSETS))
def test_runs_hold_the_offsets_and_no_others(offsets: list[int]) -> None:
    made = found.runs(offsets)
    assert {one for first, last in made for one in range(first, last + 1)} == set(offsets)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(made))


@given(st.integers(0, 50), st.lists(st.tuples(st.lists(OFFSETS, max_size=20), st.integers(0, 300))))
def test_done_is_what_the_notes_before_it_say_and_nothing_else(first: int, notes: list[tuple[list[int], int]]) -> None:
    done = Done({3: first})
    expected: set[int] = set()
    for offsets, at in notes:
        done.take(Address(3, at), note(*offsets))
        expected |= {one for one in offsets if first <= one < at}
    assert {one for one in range(400) if Address(3, one) in done} == expected
    assert done.counts == {"replayed": len(expected), "purged": 0}
    assert Address(4, first) not in done


def test_a_note_with_absurd_runs_takes_no_memory_and_marks_only_what_lies_before_it() -> None:
    done = Done({0: 5})
    done.take(Address(0, 10), Note(kind="note", done="purged", offsets=((-(10**17), 10**18), (9, 3)), at=0, by=""))
    assert [one for one in range(20) if Address(0, one) in done] == [5, 6, 7, 8, 9]
    assert done.counts == {"replayed": 0, "purged": 5}


def test_a_note_is_no_letter_and_a_letter_no_note() -> None:
    written = found.encode(note(1, 2, 5))
    assert found.letter(written) is None
    assert found.note(written) == note(1, 2, 5)
    value = receipts.dead_letter("poison", '{"kind":"note"', ("t", 0, 1), 5, None, b'{"kind":"note"')
    read = found.letter(value)
    assert isinstance(read, DeadLetter)
    assert read.detail == '{"kind":"note"'
    assert found.note(value) is None


@given(st.binary() | st.binary().map(lambda rest: b'{"kind":"note"' + rest) | st.none())
def test_reading_a_stranger_s_record_never_fails(value: bytes | None) -> None:
    found.letter(value)
    found.note(value)
