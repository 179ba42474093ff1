"""The pace of checkpoints: a process makes about as many in a second however many partitions it has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.pace import LEAST_S, MOST_S, RECENT_S, SHARE_S, Pace


def test_a_lone_partition_waits_the_least():
    assert Pace().taken("a", 10.0) == 10.0 + LEAST_S


@given(st.integers(1, 300))
def test_the_wait_grows_with_the_partitions_that_have_something_to_do(partitions: int):
    pace = Pace()
    waits = [pace.taken(number, 5.0) - 5.0 for number in range(partitions)]
    assert waits == sorted(waits)
    assert abs(waits[-1] - min(MOST_S, max(LEAST_S, partitions * SHARE_S))) < 1e-9


def test_a_partition_that_has_nothing_to_do_any_more_does_not_count():
    pace = Pace()
    for number in range(20):
        pace.taken(number, 1.0)
    assert pace.taken(0, 1.0 + RECENT_S) - (1.0 + RECENT_S) > LEAST_S
    later = 1.1 + RECENT_S
    assert abs(pace.taken(0, later) - later - LEAST_S) < 1e-9


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 0.5)), max_size=100))
def test_a_partition_that_takes_again_and_again_counts_once(batches: list[tuple[int, float]]):
    pace, now = Pace(), 0.0
    recent: dict[int, float] = {}
    for unit, passed in batches:
        now += passed
        recent[unit] = now
        active = sum(now - at <= RECENT_S for at in recent.values())
        assert abs(pace.taken(unit, now) - now - min(MOST_S, max(LEAST_S, SHARE_S * active))) < 1e-9
