"""The broker's clock as a partition knows it: never ahead, whatever the machine's own clock does (faults S15)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import ManualClock
from streams.engine.progress import SET_BACK_SAMPLES, BrokerClock


def test_the_best_sample_counts_and_the_wall_clock_does_not():
    clock = ManualClock(now=5_000_000)
    broker = BrokerClock(clock)
    broker.sample(1_000, clock.monotonic())
    clock.advance(100)
    clock.jump(3_600_000)
    assert 1_099 <= broker.now() <= 1_100
    broker.sample(1_050, clock.monotonic())  # heard of late
    assert 1_099 <= broker.now() <= 1_100
    broker.sample(1_105, clock.monotonic())
    assert broker.now() == 1_105


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 400)), min_size=1, max_size=50))
def test_it_is_never_ahead_of_a_broker_that_runs_evenly(steps):
    """Whatever the delays between a record's append and our hearing of it."""
    clock, ahead = ManualClock(), 777_000
    broker = BrokerClock(clock)
    for wait, delay in steps:
        clock.advance(wait)
        appended = ahead + round(clock.monotonic() * 1000)
        clock.advance(delay)
        broker.sample(appended, clock.monotonic())
        assert broker.now() <= ahead + round(clock.monotonic() * 1000)


def test_a_broker_whose_clock_was_set_back_is_followed_after_a_while():
    clock = ManualClock()
    broker = BrokerClock(clock)
    broker.sample(10_000_000, clock.monotonic())
    for number in range(SET_BACK_SAMPLES):
        clock.advance(10)
        broker.sample(5_000_000 + 10 * number, clock.monotonic())
    assert broker.now() <= 5_000_000 + 10 * SET_BACK_SAMPLES


def test_one_late_sample_sets_nothing_back():
    clock = ManualClock()
    broker = BrokerClock(clock)
    broker.sample(10_000_000, clock.monotonic())
    for _ in range(SET_BACK_SAMPLES - 1):
        broker.sample(5_000_000, clock.monotonic())
    broker.sample(9_999_999, clock.monotonic())
    for _ in range(SET_BACK_SAMPLES - 1):
        broker.sample(5_000_000, clock.monotonic())
    assert broker.now() >= 9_999_999


def test_old_records_of_others_never_set_it_back():
    """A backlog is heard of late, and that says nothing about the broker's clock."""
    clock = ManualClock()
    broker = BrokerClock(clock)
    broker.sample(100_000, clock.monotonic())
    for _ in range(2 * SET_BACK_SAMPLES):
        clock.advance(10)
        before = broker.now()
        broker.at_least(5, clock.monotonic())
        assert broker.now() == before
    broker.at_least(200_000, clock.monotonic())
    assert broker.now() == 200_000
