"""The breaker opens on a bad rate, probes, and closes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.breaker import Breaker, BreakerLimits

LIMITS = BreakerLimits()


def opened(now: int = 1_000) -> Breaker:
    breaker = Breaker(LIMITS)
    for _ in range(LIMITS.least):
        breaker.record(False, now, now)
    return breaker


def test_it_opens_when_half_of_enough_requests_fail() -> None:
    breaker = Breaker(LIMITS)
    for number in range(LIMITS.least - 1):
        breaker.record(number % 2 == 0, 1_000, 1_000)
        assert breaker.look(1_000) == "closed"
    breaker.record(False, 1_000, 1_000)
    assert breaker.look(1_000) == "open"


def test_a_few_failures_do_not_open_it() -> None:
    breaker = Breaker(LIMITS)
    for _ in range(LIMITS.least - 1):
        breaker.record(False, 0, 0)
    assert breaker.look(0) == "closed"


def test_it_probes_after_its_pause_and_closes_when_the_probes_are_good() -> None:
    breaker = opened()
    assert breaker.look(1_000 + LIMITS.first_pause - 1) == "open"
    later = 1_000 + LIMITS.first_pause
    assert breaker.look(later) == "probing"
    for _ in range(LIMITS.probes):
        breaker.record(True, later, later)
    assert breaker.look(later) == "closed"


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_the_longest_pause() -> None:
    breaker, now, pauses = opened(), 1_000, []
    for _ in range(8):
        now = breaker.until
        breaker.record(False, now, now)
        pauses.append(breaker.until - now)
    assert pauses[0] == 2 * LIMITS.first_pause
    assert pauses[-1] == LIMITS.longest_pause


def test_what_was_sent_before_it_opened_changes_nothing_however_late_it_ends() -> None:
    breaker = opened()
    later = 1_000 + LIMITS.first_pause
    for good in (True,) * LIMITS.probes + (False,) * LIMITS.least:
        breaker.record(good, later, 900)
        assert breaker.look(later) == "probing"
    for _ in range(LIMITS.probes):
        breaker.record(True, later, later)
    for _ in range(LIMITS.least):
        breaker.record(False, later, 900)
    assert breaker.look(later) == "closed"


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker(LIMITS)
    for _ in range(LIMITS.least - 1):
        breaker.record(False, 0, 0)
    breaker.record(False, 10 * LIMITS.window, 10 * LIMITS.window)
    assert breaker.look(10 * LIMITS.window) == "closed"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), max_size=300))
def test_it_never_stays_open_for_longer_than_the_longest_pause(steps: list[tuple[bool, int]]) -> None:
    breaker, now = Breaker(LIMITS), 0
    for good, passed in steps:
        now += passed
        breaker.record(good, now, now)
        assert breaker.until - now <= LIMITS.longest_pause
        assert breaker.look(now + LIMITS.longest_pause) != "open" or breaker.until > now + LIMITS.longest_pause
        breaker.look(now)
