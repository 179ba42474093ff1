"""The offset tracker: what is committed covers finished work only, and what is finished is not done again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.offsets import FOR_EACH, FOR_EACH_RUN, FOR_REST, Tracker
from streams.delivery.runs import METADATA_LIMIT, SHORT, decode_runs
from streams.delivery.sender import READ_BETWEEN, TURNS_NEED, WAITING_NEEDS


def reading(offsets: list[int], committed: int | None = 0, metadata: str = "") -> tuple[Tracker, list[int]]:
    """A tracker that was offered `offsets`, and those that it let through."""
    tracker = Tracker("t", 0, 1, committed, metadata)
    return tracker, [offset for offset in offsets if tracker.take(offset)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[bool]]:
    """Offsets as they are read, with gaps for control records, and which of them finish."""
    gaps = draw(st.lists(st.integers(1, 3), min_size=1, max_size=80))
    offsets = [sum(gaps[:index]) for index in range(len(gaps))]
    return offsets, draw(st.lists(st.booleans(), min_size=len(offsets), max_size=len(offsets)))


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_a_restart_gives_back_exactly_what_was_unfinished(
    history: tuple[list[int], list[bool]], random: object, data: st.DataObject
) -> None:
    offsets, finishes = history
    tracker, taken = reading(offsets)
    assert taken == offsets
    finished = [offset for offset, finish in zip(offsets, finishes, strict=True) if finish]
    for offset in data.draw(st.permutations(finished)):
        assert tracker.finish(offset)
    position = tracker.position()
    assert position is not None
    again, taken_again = reading([offset for offset in offsets if offset >= position.offset], *position)
    assert taken_again == sorted(set(offsets) - set(finished))
    assert all(offset in finished for offset in offsets if offset < position.offset)
    assert len(again) == len(taken_again)


@given(histories(), st.integers(0, 80))
def test_what_was_finished_stays_known_while_a_restart_has_not_read_so_far(
    history: tuple[list[int], list[bool]], reached: int
) -> None:
    offsets, finishes = history
    tracker, _ = reading(offsets)
    finished = [offset for offset, finish in zip(offsets, finishes, strict=True) if finish]
    for offset in finished:
        tracker.finish(offset)
    first = tracker.position()
    assert first is not None
    left = [offset for offset in offsets if offset >= first.offset]
    second, _ = reading(left[:reached], *first)
    again = second.position()
    assert again is not None
    _, taken = reading([offset for offset in offsets if offset >= again.offset], *again)
    assert taken == sorted(set(offsets) - set(finished))


def test_nothing_is_committed_for_a_partition_that_was_not_read() -> None:
    assert Tracker("t", 0, 1).position() is None


def test_the_lowest_unfinished_offset_is_committed() -> None:
    tracker, _ = reading([5, 6, 7], 5)
    tracker.finish(6)
    assert tracker.position() == (5, "1BB")
    tracker.finish(5)
    assert tracker.position() == (7, "")
    tracker.finish(7)
    assert tracker.position() == (8, "")


def test_late_results_of_an_assignment_that_is_over_are_ignored() -> None:
    tracker, _ = reading([1, 2])
    tracker.close()
    assert not tracker.finish(1)
    assert len(tracker) == 2


def test_an_offset_finishes_once() -> None:
    tracker, _ = reading([1, 2])
    assert tracker.finish(1)
    assert not tracker.finish(1)
    assert not tracker.finish(99)


def test_an_unchanged_position_is_not_committed_again() -> None:
    tracker, _ = reading([0, 1])
    tracker.finish(0)
    changed = tracker.changed()
    assert changed is not None
    tracker.committed(changed)
    assert tracker.changed() is None


@pytest.mark.parametrize("step", [2, 3, 40, 2_000])
def test_intake_stops_before_the_metadata_is_too_long(step: int) -> None:
    tracker = Tracker("t", 0, 1, 0)
    batch, offset = 500, 0
    for _ in range(50):
        if tracker.pressed(batch):
            break
        for _ in range(batch):
            tracker.take(offset)
            offset += step
    else:
        pytest.fail("it is never pressed")
    position = tracker.position()
    assert position is not None
    assert len(position.metadata) <= METADATA_LIMIT


@given(
    st.lists(st.one_of(st.integers(1, 3), st.integers(1, 60)), min_size=1, max_size=400),
    st.lists(st.one_of(st.integers(1, 3), st.integers(1, 40)), max_size=400),
    st.data(),
)
def test_a_partition_that_is_not_crowded_is_told_whatever_ends_first(
    lengths: list[int], gaps: list[int], data: st.DataObject
) -> None:
    offset = 0
    offsets: list[int] = []
    for length, gap in itertools.zip_longest(lengths, gaps, fillvalue=1):
        offsets += range(offset, offset + length)
        offset += length + gap
    tracker, _ = reading(offsets)
    steps = data.draw(st.lists(st.integers(0, len(offsets) - 1), max_size=300))
    enough = tracker.needs
    assert enough <= FOR_EACH * len(tracker) + FOR_EACH_RUN * runs(offsets)
    assert enough <= (offsets[-1] - offsets[0] + 1) / 6 + FOR_REST
    left = set(offsets)
    for step in steps:
        tracker.finish(offsets[step])
        left.discard(offsets[step])
        assert tracker.runs == runs(sorted(left))
        position = tracker.position()
        assert position is not None
        assert len(position.metadata) <= max(SHORT, 1 + enough)


@pytest.mark.parametrize("gap", [1, 30, 33, 1_100, 30_000])
@pytest.mark.parametrize("length", [1, 2, 5, 7, 9, 10, 20, 100])
@pytest.mark.parametrize("step", [2, 3])
def test_as_many_as_may_wait_are_told_of_whatever_ends_first(length: int, gap: int, step: int) -> None:
    tracker, offset = Tracker("t", 0, 1, 0), 0
    while tracker.needs <= WAITING_NEEDS:
        for one in range(offset, offset + length):
            tracker.take(one)
        offset += length + gap
    for place, one in enumerate(list(tracker._unfinished)):
        if place % step == 1:
            tracker.finish(one)
    position = tracker.position()
    assert position is not None
    assert len(position.metadata) < METADATA_LIMIT, "nothing was cut"


def runs(offsets: list[int]) -> int:
    return sum(index == 0 or offsets[index - 1] != one - 1 for index, one in enumerate(offsets))


@pytest.mark.parametrize("step", [1, 2, 33, 1_100])
@pytest.mark.parametrize("need", [TURNS_NEED, WAITING_NEEDS])
def test_a_partition_as_full_of_those_that_wait_as_may_be_is_read_on(step: int, need: int) -> None:
    tracker, offset = Tracker("t", 0, 1, 0), 0
    while tracker.needs <= need:
        tracker.take(offset)
        offset += step
    assert len(tracker) > need / (FOR_EACH + FOR_EACH_RUN)
    if step < 10:
        assert len(tracker) > need / step, "those that alternate with others are told of by bits"
    assert not tracker.pressed(READ_BETWEEN), "there is some left for those that are sent at once"


def test_metadata_that_would_be_too_long_tells_as_much_as_fits() -> None:
    tracker, _ = reading(list(range(30_000)))
    for offset in range(1, 30_000, 2):
        tracker.finish(offset)
    position = tracker.position()
    assert position is not None
    assert METADATA_LIMIT - 10 < len(position.metadata) <= METADATA_LIMIT
    _, again = reading(list(range(30_000)), *position)
    assert set(range(0, 30_000, 2)) <= set(again), "nothing unfinished is lost"
    assert len(again) <= 18_000, "six in a character are known"
    assert 1 not in again
    assert tracker.pressed(500)


def test_metadata_is_cut_between_runs() -> None:
    tracker, _ = reading(list(range(0, 3_000 * 100, 100)))
    position = tracker.position()
    assert position is not None
    assert decode_runs(position.metadata)
