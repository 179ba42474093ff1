"""A partner's lane: slots, rate, holds, reservations."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.config import Partner
from streams.delivery.breaker import BreakerLimits
from streams.delivery.lanes import RATE_TOLERANCE_MS, SHED_AT_ONCE, Lane, LaneLimits
from streams.delivery.later import Count
from streams.delivery.schedule import Reserved
from streams.delivery.shares import Part
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
        assert one.offer(number, None, NOW) is None
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


def ticking(one: Lane[int], until: int, jitter: random.Random, now: int = NOW) -> list[int]:
    """When the requests of a backlog are started, as the sender does: it looks about every 10 ms, when `wakes_at` is
    over; each takes 20 ms.
    """
    starts: list[int] = []
    flying: list[tuple[int, int]] = []
    wakes = now
    while now < until:
        now += jitter.choice([10, 10, 10, 11, 12])
        while flying and flying[0][0] <= now:
            one.end(flying.pop(0)[1], True, now)
        if wakes > now:
            continue
        while len(one.queue) < 50:
            one.queue.append(0)
        for _, serial in start_all(one, now):
            starts.append(now)
            flying.append((now + 20, serial))
        wakes = one.wakes_at(now) or now
    return starts


@given(st.sampled_from([0.7, 3.0, 7.0, 50.0, 99.0, 333.0, 1_000.0]), st.floats(0.05, 1.0), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_backlog_is_sent_at_the_very_rate(limit: float, share: float, seed: int) -> None:
    rate, length = limit * share, 30_000
    one = lane(share=share, rate_limit=limit, max_in_flight=10_000)
    starts = ticking(one, NOW + length, random.Random(seed))
    window = 10_000
    for begin in range(NOW, NOW + length - window + 1, 500):
        count = bisect_left(starts, begin + window) - bisect_left(starts, begin)
        assert abs(count - rate * window / 1_000) <= 0.01 * rate * window / 1_000 + 1, (rate, count)
    for first in range(0, len(starts), 3):
        for span in (100, 1_000, 10_000):
            count = bisect_left(starts, starts[first] + span) - first
            assert count <= rate * (span + RATE_TOLERANCE_MS) / 1_000 + 1


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.integers(100, 3_000)), min_size=2, max_size=8), st.integers(0, 99))
@example([(0.01, 100), (1.0, 500)], 0)
@settings(max_examples=30, deadline=None)
def test_a_part_that_changes_changes_the_rate_from_then_on(parts: list[tuple[float, int]], seed: int) -> None:
    one, now, jitter = lane(rate_limit=100.0, max_in_flight=10_000), NOW, random.Random(seed)
    due = 0.0
    starts: list[int] = []
    for part, length in parts:
        one.configure(one.partner, 0.5, Part(part, 10_000))
        starts += ticking(one, now + length, jitter, now)
        now = max(now + length, starts[-1] if starts else now)
        due += 100.0 * part * (length + RATE_TOLERANCE_MS + 12) / 1_000
        assert len(starts) <= due + 1
    assert len(starts) >= 0.9 * sum(100.0 * part * (length - 30) / 1_000 for part, length in parts) - len(parts) - 1


def test_without_a_slot_nothing_starts_and_what_comes_is_reserved_as_for_the_usual_share() -> None:
    one = lane(rate_limit=10.0)
    one.configure(one.partner, 0.5, Part(0.0, 0))
    times = [one.offer(number, None, NOW) for number in range(100)]
    assert start_all(one, NOW + 60_000) == []
    assert 35 <= times.count(None) <= 41
    assert max(at for at in times if at is not None) <= NOW + 25_000
    one.configure(one.partner, 0.5, Part(0.001, 10))
    assert len(start_all(one, NOW + 4_000)) == 1
    one.queue.clear()
    assert one.offer(100, Reserved(NOW + 4_001, NOW + 4_001), NOW + 4_001, waiting=0) is None, (
        "a part that is small for now sends nothing far away"
    )
    assert start_all(one, NOW + 5_000) == []
    one.configure(one.partner, 0.5, Part(1.0, 10))
    assert len(start_all(one, NOW + 5_000)) == 1


def test_a_lane_without_a_slot_does_not_probe() -> None:
    one = lane()
    one.configure(one.partner, 0.5, Part(1.0, 0))
    one.queue.append(1)
    for _ in range(one.limits.breaker.least):
        one.breaker.record(False, NOW, NOW)
    assert one.start(NOW + one.limits.breaker.first_pause) is None


def test_a_share_of_the_partitions_is_a_share_of_the_limits() -> None:
    one = lane(share=0.25, max_in_flight=100, rate_limit=50.0)
    assert one.slots(NOW) == 25
    assert lane(share=0.01, max_in_flight=3).slots(NOW) == 1


def test_a_job_that_cannot_start_soon_reserves_a_time_behind_the_others() -> None:
    one = lane(rate_limit=1.0, max_in_flight=10)
    times = [one.offer(number, None, NOW) for number in range(100)]
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
        one.offer(number, None, NOW)
    start_all(one, NOW + 8_000)
    one.queue.clear()
    at = one.offer(1_000, None, NOW + 8_000)
    assert at is not None
    assert at > NOW + 90_000
    assert one.offer(1_001, Reserved(NOW + 8_000, NOW + 8_000), NOW + 8_000) is None


def test_a_hold_stops_the_lane_and_what_comes_after_it_is_spread() -> None:
    one = lane(rate_limit=10.0)
    one.hold(NOW + 60_000, NOW)
    times = [one.offer(number, None, NOW) for number in range(50)]
    assert all(at is not None and at >= NOW + 60_000 for at in times)
    assert len(set(times)) == 50
    one.queue.append(7)
    assert one.start(NOW + 59_999) is None
    assert one.start(NOW + 60_000) is not None


def test_an_idle_lane_takes_what_comes_before_its_time_and_a_busy_one_gives_it_the_same_time_again() -> None:
    one = lane(max_in_flight=1)
    far = Reserved(NOW + 100_000, NOW - 1)
    assert one.offer(1, far, NOW) is None
    assert start_all(one, NOW) == [(1, 1)]
    assert one.offer(2, far, NOW) == far.at
    near = Reserved(NOW + 9_000, NOW - 1)
    assert one.offer(3, near, NOW) is None, "it may wait in memory"
    assert one.queued == 1
    one.end(1, True, NOW + 20)
    assert [item for item, _ in start_all(one, NOW + 20)] == [3], "nobody else wants the slot"


def test_a_lane_that_is_behind_its_schedule_moves_all_of_it() -> None:
    one = lane(rate_limit=1.0)
    came = [one.offer(number, Reserved(NOW, NOW - 1), NOW, waiting=0) for number in range(12)]
    first = next(at for at in came if at is not None)
    assert first == NOW + 6_000
    assert one.offer(99, Reserved(NOW + 60_000, NOW - 1), NOW + 1) == NOW + 66_000, "and all keep their order"
    assert one.offer(99, Reserved(NOW + 60_000, NOW + 1), NOW + 2) == NOW + 60_000, "who was told is not told again"


def test_those_that_come_much_too_late_move_the_others_by_what_the_queue_lasts_for_and_no_more() -> None:
    one = lane(rate_limit=1.0)
    came = [one.offer(number, Reserved(NOW - 100_000, NOW - 200_000), NOW, waiting=0) for number in range(50)]
    assert {at for at in came if at is not None} == {NOW + 6_000}
    assert one.offer(99, Reserved(NOW + 60_000, NOW - 1), NOW + 1) == NOW + 66_000
    assert one.offer(51, Reserved(NOW - 100_000, NOW - 200_000), NOW + 2_000, waiting=0) == NOW + 8_000
    assert one.offer(99, Reserved(NOW + 60_000, NOW - 1), NOW + 2_001) == NOW + 68_000, "it is still as long"


def test_what_waits_is_moved_again_when_the_clock_was_put_back() -> None:
    one = lane(rate_limit=1.0)
    came = [one.offer(number, Reserved(NOW - 100_000, NOW - 200_000), NOW, waiting=0) for number in range(12)]
    assert {at for at in came if at is not None} == {NOW + 6_000}
    back = NOW - 3_600_000
    one.offer(12, Reserved(back - 100_000, back - 200_000), back, waiting=0)
    assert one.offer(99, Reserved(back + 60_000, back - 1), back + 1) == back + 66_000


def test_where_memory_is_short_those_that_come_late_move_the_others_when_they_fill_that_time() -> None:
    one = lane(rate_limit=50.0)

    def late(number: int) -> int | None:
        return one.offer(number, Reserved(NOW - 10_000, NOW - 90_000), NOW, free=200, waiting=0)

    def far() -> int | None:
        return one.offer(999, Reserved(NOW + 60_000, NOW - 1), NOW, waiting=0)

    assert all(late(number) is None for number in range(100)), "two seconds' work"
    first = late(100)
    assert first is not None
    assert NOW + 1_500 <= first <= NOW + 1_530
    assert far() == NOW + 60_000, "one has missed its turn: nobody else has"
    assert {late(number) for number in range(101, 180)} == {first}
    assert far() == NOW + 60_000 + first - NOW
    assert {late(number) for number in range(180, 500)} == {first}
    assert far() == NOW + 60_000 + first - NOW, "not twice for the same time"


def test_what_comes_late_waits_for_its_new_turn_in_memory() -> None:
    count = Count()
    one: Lane[int] = Lane(partner_named(rate_limit=1.0), LIMITS, waiting=count)
    came = [one.offer(number, Reserved(NOW, NOW - 1), NOW, waiting=100 - count.jobs) for number in range(12)]
    assert came == [None] * 12
    assert count.jobs == 4
    assert one.queued == 12
    (_, serial), *_ = start_all(one, NOW + 5_999)
    one.end(serial, True, NOW + 6_000)
    start_all(one, NOW + 6_000)
    assert len(one.queue) == 11
    assert count.jobs == 4, "and keeps its memory then: that for jobs that are new is not less"
    for second in range(7, 19):
        for _, serial in start_all(one, NOW + second * 1_000):
            one.end(serial, True, NOW + second * 1_000)
    assert (one.queued, count.jobs) == (0, 0)


def test_what_leaves_a_queue_in_any_way_gives_its_memory_back() -> None:
    count = Count()
    one: Lane[int] = Lane(partner_named(rate_limit=1.0), LIMITS, waiting=count)

    def fill(at: int) -> None:
        for number in range(6):
            one.offer(number, Reserved(at, NOW), NOW, waiting=100)
        one.start(at)
        assert count.jobs == 5

    fill(NOW + 1_000)
    assert one.drop(lambda item: item != 5) == [1, 2, 3, 4]
    assert count.jobs == 1
    assert one.drop(lambda item: True) == [5]
    fill(NOW + 2_000)
    one.hold(NOW + 60_000, NOW + 2_001)
    assert len(one.shed(NOW + 2_001)) == 5
    assert count.jobs == 0


def test_a_newcomer_to_a_rate_waits_in_memory_when_its_turn_comes_soon() -> None:
    """Memory that is to be sent now is short; that for the last seconds is not."""
    count = Count()
    one: Lane[int] = Lane(partner_named(rate_limit=1_000.0), LIMITS, waiting=count)

    def offer(number: int) -> int | None:
        return one.offer(number, None, NOW, free=300 - len(one.queue), waiting=9_000 - count.jobs)

    times = [offer(number) for number in range(10_000)]
    kept = times.index(next(at for at in times if at is not None))
    assert 6_000 <= kept <= 8_100, "two thirds of what there is, or eight seconds"
    assert count.jobs <= 6_000
    reserved = [at for at in times if at is not None]
    assert min(reserved) >= NOW + LIMITS.soon


def test_what_is_forgotten_with_its_partition_is_gone_from_all_of_the_lane() -> None:
    one = lane(rate_limit=1.0)
    for number in range(4):
        one.offer(number, Reserved(NOW + number * 2_000 - 2_000, NOW - 1), NOW)
    assert sorted(one.drop(lambda item: item % 2 == 0)) == [0, 2]
    assert one.queued == 2
    assert not one.idle


def test_a_partner_that_begins_to_hang_leaves_memory() -> None:
    one = lane(max_in_flight=10)
    for number in range(300):
        one.offer(number, None, NOW)
    assert len(start_all(one, NOW)) == 10
    assert one.shed(NOW + 100) == []
    shed = [item for item, _ in one.shed(NOW + 5_000)]
    assert shed[-1] == 299
    assert len(one.queue) < 40
    assert shed == sorted(shed)


@given(st.integers(1, 100), st.integers(500, 8_000), st.sampled_from([0, 1, 4]))
def test_however_many_lanes_are_slow_there_is_memory_left_for_another(slow: int, bound: int, times: int) -> None:
    count, free = Count(), bound
    for _ in range(slow):
        one: Lane[int] = Lane(partner_named(rate_limit=1.0, max_in_flight=10), LIMITS, waiting=count)
        before = count.jobs
        while one.offer(0, Reserved(NOW, NOW), NOW, free=free, waiting=times * bound - count.jobs) is None:
            free -= 1 - (count.jobs - before)
            before = count.jobs
    assert free > 0
    assert count.jobs <= times * bound
    assert lane(max_in_flight=10).offer(0, None, NOW, free=free) is None


def test_a_lane_that_drains_may_have_all_the_memory_and_what_was_read_beyond_it() -> None:
    for slots in (5, 100):
        one = lane(max_in_flight=slots)
        assert all(one.offer(number, None, NOW, free=400 - number) is None for number in range(420))


def test_a_lane_of_a_process_at_its_limit_takes_no_more_than_there_is_memory() -> None:
    """While memory is left more is read, whatever it is for."""
    count, bound = Count(), 200
    one: Lane[int] = Lane(partner_named(max_in_flight=10), LIMITS, waiting=count)
    for _ in range(1_000):
        one.reserve(NOW)
    now = NOW + 9_000
    taken = 0
    for number in range(5_000):
        free = bound - one.queued - one.in_flight + count.jobs
        taken += one.offer(number, None, now, True, free, 4 * bound - count.jobs) is None
        start_all(one, now)
    assert 2 * bound <= taken <= 5 * bound, "both are used, and no more"


@pytest.mark.parametrize("rate", [None, 100.0])
def test_newcomers_need_no_memory_of_those_that_wait_unless_they_have_to(rate: float | None) -> None:
    """A partition that is full of them, or their memory, is no reason to put a job away that can be sent soon."""
    one = lane(max_in_flight=10, rate_limit=rate)
    assert [one.offer(number, None, NOW, free=8_000, waiting=0) for number in range(20)] == [None] * 20


@pytest.mark.parametrize("moment", range(0, 4_000, 500))
def test_a_lane_that_may_suddenly_send_more_keeps_what_it_has_to_send(moment: int) -> None:
    one: Lane[int] = Lane(partner_named(rate_limit=1_000.0), LIMITS, 0.2)
    for number in range(3_000):
        one.offer(number, Reserved(NOW + moment + 5 * number, NOW), NOW)
    kept = one.queued
    assert kept > 2_000
    one.configure(one.partner, 1.0)
    assert one.shed(NOW) == []
    assert one.queued == kept


def test_those_that_wait_leave_a_lane_that_stands_still_by_and_by_the_last_ones_first() -> None:
    count = Count()
    one: Lane[int] = Lane(partner_named(rate_limit=1_000.0), LIMITS, waiting=count)
    for number in range(2_500):
        one.offer(number, Reserved(NOW + 1_000 + number, NOW), NOW)
    one.hold(NOW + 60_000, NOW)
    gone = [one.shed(NOW) for _ in range(4)]
    assert [len(some) for some in gone] == [SHED_AT_ONCE, SHED_AT_ONCE, 500, 0]
    assert [item for item, _ in gone[0]] == list(range(1_500, 2_500))
    assert [at - item for item, at in gone[2]] == [NOW + 61_000] * 500
    assert count.jobs == 0


def test_a_job_that_found_no_memory_sends_those_behind_it_away_only_when_they_would_be_in_its_way() -> None:
    one = lane(max_in_flight=1)
    assert one.offer(0, None, NOW, free=1_000) is None
    assert one.offer(1, None, NOW, free=1) == NOW + 8_000
    assert one.offer(2, None, NOW, free=1_000) is None
    # Until the time that was given: from then on newcomers stand in line behind it.
    for number in range(3, 500):
        one.offer(number, None, NOW)
    assert len(one.queue) == 8_000 // 20 - 1
    at = one.offer(500, None, NOW)
    assert at is not None
    assert at > NOW + 8_000


def test_partners_that_take_long_leave_memory_to_others_however_many_they_are() -> None:
    """Each answers after five seconds, and well: twelve with a hundred under way would be all of a partition's."""
    bound, slow = 1_000, [lane(max_in_flight=100) for _ in range(12)]
    for one in slow:
        for number in range(100):
            one.offer(number, None, NOW - 5_000)
        for _, serial in start_all(one, NOW - 5_000):
            one.end(serial, True, NOW)
    for number in range(200):
        for one in slow:
            one.offer(number, None, NOW, free=bound - sum(each.in_flight + each.queued for each in slow))
            start_all(one, NOW)
    taken = sum(one.in_flight + one.queued for one in slow)
    assert bound / 2 < taken < bound * 0.9
    quick = lane()
    assert [quick.offer(number, None, NOW, free=bound - taken - number) for number in range(90)] == [None] * 90


def test_a_lane_that_has_become_slow_gives_back_what_others_lack() -> None:
    one = lane(max_in_flight=100)
    for number in range(1_000):
        one.offer(number, None, NOW, free=1_000 - number)
    start_all(one, NOW)
    kept = len(one.queue)
    assert kept > 800
    gone = one.shed(NOW + 1_500, free=1_000 - one.in_flight - kept)
    assert len(gone) > 500
    assert [item for item, _ in gone] == list(range(1_000 - len(gone), 1_000)), "the newest ones"
    assert one.shed(NOW + 1_500, free=1_000 - one.in_flight - len(one.queue)) == []
    with_plenty = lane(max_in_flight=100)
    with_plenty.queue.extend(range(500))
    start_all(with_plenty, NOW)
    assert with_plenty.shed(NOW + 1_500, free=8_000) == []


def test_an_open_breaker_sends_nothing_and_then_one_at_a_time() -> None:
    limits = BreakerLimits()
    one = lane(max_in_flight=100)
    for number in range(limits.least):
        one.offer(number, None, NOW)
    for _, serial in start_all(one, NOW):
        one.end(serial, False, NOW + 10)
    one.queue.extend(range(50))
    assert one.start(NOW + 20) is None
    assert one.wakes_at(NOW + 20) == NOW + 10 + limits.first_pause
    assert len(start_all(one, NOW + 10 + limits.first_pause)) == 1


def test_a_partner_is_probed_while_requests_from_before_still_hang() -> None:
    limits = BreakerLimits()
    one = lane(max_in_flight=100)
    for number in range(60):
        one.offer(number, None, NOW)
    hanging = [serial for _, serial in start_all(one, NOW)]
    for _ in range(limits.least):
        one.end(hanging.pop(), False, NOW + 10)
    one.queue.extend(range(50))
    later = NOW + 10 + limits.first_pause
    for _ in range(limits.probes):
        ((_, probe),) = start_all(one, later)
        one.end(hanging.pop(), False, later)
        one.end(probe, True, later)
    assert len(start_all(one, later)) == 50 - limits.probes


def test_a_fault_of_ours_teaches_the_breaker_nothing() -> None:
    one = lane(max_in_flight=100)
    for number in range(100):
        one.offer(number, None, NOW)
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
            if one.offer(number, None, now) is not None:
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
            parked |= {item for item, _ in one.shed(now)}
        assert one.in_flight == len(under_way) <= 3
    assert offered == parked | set(one.drop(lambda _: True)) | set(under_way.values()) | ended


def test_a_hold_that_is_ended_gives_way_at_once_also_to_what_comes_after_what_it_put_off() -> None:
    lane = Lane[int](Partner(id="acme", name="acme", rate_limit=10.0), LaneLimits())
    lane.hold(NOW + 600_000, NOW)
    put_off = [lane.offer(number, None, NOW) for number in range(100)]
    assert min(at or 0 for at in put_off) >= NOW + 600_000
    lane.follow(0, NOW + 1_000)
    assert lane.offer(100, None, NOW + 1_000) is None
    assert lane.start(NOW + 1_000) is not None


def test_a_hold_that_becomes_shorter_brings_what_was_put_off_forward_and_keeps_it_apart() -> None:
    lane = Lane[int](Partner(id="acme", name="acme", rate_limit=10.0), LaneLimits())
    lane.hold(NOW + 600_000, NOW)
    first = lane.offer(1, None, NOW) or 0
    assert first == NOW + 600_000
    lane.follow(NOW + 500_000, NOW + 1_000)
    assert lane.offer(1, Reserved(first, NOW), NOW + 2_000) == NOW + 500_000
    assert lane.offer(2, None, NOW + 2_000) == NOW + 500_100
