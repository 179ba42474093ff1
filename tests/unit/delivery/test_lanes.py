"""A partner's lane: slots, rate, holds, reservations."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Partner
from streams.delivery.breaker import BreakerLimits
from streams.delivery.lanes import Lane, LaneLimits
from tests.support.sending import partner_named

LIMITS = LaneLimits()
NOW = 1_760_000_000_000


def lane(share: float = 1.0, **more: object) -> Lane[int]:
    partner: Partner = partner_named(**more)
    return Lane(partner, LIMITS, share)


def start_all(one: Lane[int], now: int) -> list[tuple[int, int]]:
    """Start what may start now."""
    started = []
    while (found := one.start(now)) is not None:
        started.append(found)
    return started


def test_no_more_than_the_slots_are_under_way() -> None:
    one = lane(max_in_flight=3)
    for number in range(10):
        assert one.offer(number, False, NOW) is None
    started = start_all(one, NOW)
    assert [item for item, _ in started] == [0, 1, 2]
    one.end(started[1][1], True, NOW + 5)
    assert [item for item, _ in start_all(one, NOW + 5)] == [3]


@given(st.floats(0.5, 500), st.lists(st.integers(1, 400), min_size=5, max_size=200))
def test_the_rate_is_never_exceeded(rate: float, steps: list[int]) -> None:
    one = lane(rate_limit=rate, max_in_flight=10_000)
    now, starts = NOW, []
    for step in steps:
        now += step
        while len(one.queue) < 50:
            one.queue.append(0)
        starts += [now for _ in start_all(one, now)]
    gap = 1_000 / rate
    # Within any span there are at most span / gap + 1 starts, plus those that a late tick caught up with.
    for first in range(0, len(starts), 7):
        for last in range(first, len(starts), 11):
            assert (last - first) * gap <= starts[last] - starts[first] + gap + 50


def test_a_share_of_the_partitions_is_a_share_of_the_limits() -> None:
    one = lane(share=0.25, max_in_flight=100, rate_limit=50.0)
    assert one.slots(NOW) == 25
    assert lane(share=0.01, max_in_flight=3).slots(NOW) == 1


def test_a_job_that_cannot_start_soon_reserves_a_time_behind_the_others() -> None:
    one = lane(rate_limit=1.0, max_in_flight=10)
    times = [one.offer(number, False, NOW) for number in range(100)]
    kept = [at for at in times if at is None]
    reserved = [at for at in times if at is not None]
    assert 5 <= len(kept) <= 9
    assert reserved == sorted(reserved)
    assert reserved[0] >= NOW + LIMITS.soon
    gaps = [after - before for before, after in itertools.pairwise(reserved)]
    assert all(999 <= gap <= 1_001 for gap in gaps)


def test_a_newcomer_does_not_overtake_those_that_reserved() -> None:
    one = lane(rate_limit=1.0, max_in_flight=10)
    for number in range(100):
        one.offer(number, False, NOW)
    start_all(one, NOW + 8_000)
    one.queue.clear()
    at = one.offer(1_000, False, NOW + 8_000)
    assert at is not None
    assert at > NOW + 90_000
    assert one.offer(1_001, True, NOW + 8_000) is None


def test_a_hold_stops_the_lane_and_what_comes_after_it_is_spread() -> None:
    one = lane(rate_limit=10.0)
    one.hold(NOW + 60_000)
    times = [one.offer(number, False, NOW) for number in range(50)]
    assert all(at is not None and at >= NOW + 60_000 for at in times)
    assert len(set(times)) == 50
    one.queue.append(7)
    assert one.start(NOW + 59_999) is None
    assert one.start(NOW + 60_000) is not None


def test_a_partner_that_begins_to_hang_leaves_memory() -> None:
    one = lane(max_in_flight=10)
    for number in range(300):
        one.offer(number, False, NOW)
    assert len(start_all(one, NOW)) == 10
    assert one.shed(NOW + 100) == []
    shed = one.shed(NOW + 5_000)
    assert shed[-1] == 299
    assert len(one.queue) < 40
    assert shed == sorted(shed)


def test_an_open_breaker_sends_nothing_and_then_one_at_a_time() -> None:
    limits = BreakerLimits()
    one = lane(max_in_flight=100)
    for number in range(limits.least):
        one.offer(number, False, NOW)
    for _, serial in start_all(one, NOW):
        one.end(serial, False, NOW + 10)
    one.queue.extend(range(50))
    assert one.start(NOW + 20) is None
    assert one.wakes_at(NOW + 20) == NOW + 10 + limits.first_pause
    assert len(start_all(one, NOW + 10 + limits.first_pause)) == 1


def test_a_fault_of_ours_teaches_the_breaker_nothing() -> None:
    one = lane(max_in_flight=100)
    for number in range(100):
        one.offer(number, False, NOW)
    for _, serial in start_all(one, NOW):
        one.end(serial, None, NOW + 10)
    assert one.slots(NOW + 10) == 100


@given(
    st.lists(st.tuples(st.sampled_from(["offer", "start", "end", "time", "shed"]), st.integers(0, 3_000)), max_size=300)
)
def test_nothing_offered_is_ever_lost(steps: list[tuple[str, int]]) -> None:
    one, now = lane(max_in_flight=3, rate_limit=5.0), NOW
    offered, parked, under_way, ended = set[int](), set[int](), dict[int, int](), set[int]()
    for number, (step, size) in enumerate(steps):
        if step == "offer":
            offered.add(number)
            if one.offer(number, False, now) is not None:
                parked.add(number)
        elif step == "start" and (found := one.start(now)) is not None:
            under_way[found[1]] = found[0]
        elif step == "end" and under_way:
            serial, item = under_way.popitem()
            one.end(serial, size % 2 == 0, now)
            ended.add(item)
        elif step == "time":
            now += size
        elif step == "shed":
            parked |= set(one.shed(now))
        assert one.in_flight == len(under_way) <= 3
    assert offered == parked | set(one.queue) | set(under_way.values()) | ended
