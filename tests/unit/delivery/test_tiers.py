"""Which delay topic a job waits in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.tiers import Tiers
from streams.kafka import TIERS_MS

TIERS = Tiers()


def test_the_tiers_are_those_of_the_topics() -> None:
    assert tuple(TIERS.delay(tier) for tier in range(TIERS.count)) == TIERS_MS


@given(st.integers(-10_000, 10**8))
def test_a_tier_never_ends_after_the_due_time_and_is_the_largest_such(wait: int) -> None:
    tier = TIERS.tier_for(wait)
    if tier is None:
        assert wait < TIERS.base
    else:
        assert TIERS.delay(tier) <= wait
        assert tier == TIERS.count - 1 or TIERS.delay(tier + 1) > wait


@given(st.integers(0, 600_000))
def test_ten_minutes_take_at_most_seven_hops(wait: int) -> None:
    hops = 0
    while (tier := TIERS.tier_for(wait)) is not None:
        wait -= TIERS.delay(tier)
        hops += 1
    assert 0 <= wait < TIERS.base
    assert hops <= 7


@given(st.integers(0, 10_000_000))
def test_a_wait_is_rounded_by_less_than_a_moment_and_never_down(wait: int) -> None:
    rounded = TIERS.rounded(wait)
    assert wait <= rounded <= wait + TIERS.base // 16
    assert rounded == wait or rounded in [TIERS.delay(tier) for tier in range(TIERS.count)]


def test_what_is_just_below_a_tier_is_written_once() -> None:
    assert TIERS.rounded(255_700) == 256_000
    assert TIERS.rounded(255_000) == 255_000
    assert TIERS.rounded(7_900) == 8_000
