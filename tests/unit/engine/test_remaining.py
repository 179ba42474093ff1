"""How much is left of a recovery, and about how long it takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.remaining import Remaining, estimate


def test_nothing_is_said_of_the_time_before_anything_was_read() -> None:
    waiting = Remaining(0, 1_000)
    assert estimate([waiting], 5.0) == (1_000, None)
    assert str(estimate([waiting], 5.0)) == "1,000 changelog records left"


def test_partitions_that_wait_for_their_turn_count_at_the_rate_of_those_that_are_read() -> None:
    reading, waiting = Remaining(0, 1_000), Remaining(500, 1_500)
    reading.begin(10.0)
    reading.step(500, 12.0)
    assert estimate([reading, waiting], 12.0) == (1_500, 6.0)
    assert str(estimate([reading, waiting], 12.0)) == "1,500 changelog records left, about 6 s"


def test_when_everything_has_been_read_nothing_is_left() -> None:
    done = Remaining(7, 7)
    done.begin(1.0)
    assert estimate([done], 1.0) == (0, 0.0)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)), max_size=5))
def test_what_is_left_only_shrinks_as_it_is_read(ways: list[tuple[int, int, int]]) -> None:
    recoveries = [Remaining(start, start + length) for start, length, _ in ways]
    before = estimate(recoveries, 1.0).records
    for one, (start, length, read) in zip(recoveries, ways, strict=True):
        one.begin(0.0)
        one.step(start + min(read, length), 1.0)
    after = estimate(recoveries, 1.0)
    assert after.records == before - sum(min(read, length) for _, length, read in ways)
    assert after.seconds is None or after.seconds >= 0
