"""The pace of checkpoints: all partitions of a process take their batches in common rounds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.pace import JOIN_S, ROUND_S, Pace


def test_the_first_batch_waits_for_nothing():
    assert Pace().wait(10.0) == 0.0


def test_who_comes_soon_takes_part_and_who_comes_later_waits_for_the_next_round():
    pace = Pace()
    pace.taken(10.0)
    assert pace.wait(10.0 + JOIN_S / 2) == 0.0
    late = 10.0 + JOIN_S * 2
    assert abs(pace.wait(late) - (10.0 + ROUND_S - late)) < 1e-9
    assert pace.wait(10.0 + ROUND_S + 0.001) == 0.0


@given(st.lists(st.floats(0, 0.05), max_size=200))
def test_rounds_begin_no_faster_than_they_may_however_many_partitions_there_are(gaps: list[float]):
    pace, now = Pace(), 0.0
    begun: list[float] = []
    for gap in gaps:
        now += gap
        if pace.wait(now) > 0:
            continue
        if not begun or now - begun[-1] >= ROUND_S:
            begun.append(now)
        pace.taken(now)
    assert all(later - earlier >= ROUND_S - 1e-9 for earlier, later in pairwise(begun))


def test_full_batches_in_between_do_not_put_the_next_round_off():
    pace = Pace()
    for moment in (10.0, 10.01, 10.02):
        pace.taken(moment)
    assert pace.wait(10.021) > 0
    assert pace.wait(10.0 + ROUND_S + 0.0001) == 0.0
