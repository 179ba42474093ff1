"""When a parent kills a child that hangs (`streams.processes.patience`)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.stillness import Sign, Stillness
from streams.processes.patience import BEYOND_S, Patience, patience
from streams.settings import Settings

seconds = st.integers(1, 3_600)


def test_the_default_is_a_little_more_than_what_a_child_takes_to_end_by_itself():
    assert patience(Settings()) == Patience(130.0, stuck_too=True)


@given(seconds, seconds, st.integers(0, 100))
def test_a_child_that_is_stuck_has_ended_by_itself_before(after, more, since):
    child = Stillness(after, more)
    settings = Settings(stuck_after=after * 1000, stuck_exit=more * 1000)
    still = {"it": Sign(1, "stands")}
    child.look(since, still)
    # Seen well for the last time when it began to stand still, at the earliest.
    ends = since + after + more
    assert child.look(ends, still).end
    assert not patience(settings).is_over(ends + BEYOND_S, well_at=since, answered_at=since)


@given(seconds, st.integers(0, 3_600))
def test_one_that_answers_nothing_is_killed_whatever_the_settings(after, more):
    settings = Settings(stuck_after=after * 1000, stuck_exit=more * 1000)
    limit = after + more + BEYOND_S
    assert not patience(settings).is_over(limit, 0.0, 0.0)
    assert patience(settings).is_over(limit + 0.1, 0.0, 0.0)


@given(seconds, st.floats(0, 1e6), st.floats(0, 10))
def test_one_that_answers_is_never_killed_when_it_is_never_to_end(after, well_for, silent_for):
    now = 1e6
    never = patience(Settings(stuck_after=after * 1000, stuck_exit=0))
    assert not never.is_over(now, well_at=now - well_for, answered_at=now - silent_for)
    assert patience(Settings(stuck_after=after * 1000, stuck_exit=1)).is_over(now, now - after - BEYOND_S - 1, now)
