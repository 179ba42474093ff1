"""The pace of a steady load."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import pacing


def test_the_first_record_is_due_at_once_and_the_last_stays_the_last() -> None:
    assert pacing.due(1000, 0, 5) == 1
    assert pacing.due(1000, 0.0025, 5) == 3
    assert pacing.due(1000, 9, 5) == 5
    assert pacing.due(1000, -1, 5) == 0


@given(st.floats(1, 10_000), st.floats(0, 100), st.floats(0, 1))
def test_records_are_evenly_spaced_however_often_one_looks(rate: float, elapsed: float, later: float) -> None:
    now, then = (pacing.due(rate, at, 10**9) for at in (elapsed, elapsed + later))
    assert abs((then - now) - rate * later) <= 1.001


@given(st.floats(1, 10_000), st.floats(0, 100))
def test_after_a_pause_something_is_due_and_not_long_before(rate: float, elapsed: float) -> None:
    pause = pacing.pause(rate, elapsed, 0.001)
    assert pause >= 0.001
    before, after = (pacing.due(rate, at, 10**9) for at in (elapsed, elapsed + pause + 1e-6))
    assert after > before or rate < 1_000
    assert after - before <= max(1, rate * 0.001) + 1.001
