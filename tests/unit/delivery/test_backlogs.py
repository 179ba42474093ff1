"""What becomes of a backlog: how often a job is written into a delay topic, and whether the limit is used, in simulated
time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.delivery.shares import Part
from tests.support.lane_world import TIMEOUT, Answer, World

HOUR = 3_600_000
WELL = Answer(20, True)


def down(begin: int, end: int, took: int = 20) -> Callable[[int], Answer]:
    """A partner that fails between two times."""
    return lambda at: Answer(took, False) if begin <= at < end else WELL


def flood(world: World, jobs: int, within: int) -> None:
    for number in range(jobs):
        world.decide(number, number * within // jobs)


def per_window(world: World, begin: int) -> list[float]:
    """How many were sent in each second of the windows of ten seconds, the last one that is whole included."""
    counted = Counter((at - begin) // 10_000 for at in world.sent.values() if at >= begin)
    return [counted[place] / 10 for place in range(max(counted))]


def written(world: World) -> list[int]:
    return [world.written[number] for number in world.sent]


def test_a_backlog_is_sent_at_the_limit_and_in_its_order() -> None:
    world = World(lambda at: WELL, rate=50.0)
    flood(world, 15_000, 4_000)
    world.run(HOUR, 15_000)
    assert len(world.sent) == 15_000
    assert min(per_window(world, 0)) >= 47.0
    assert max(per_window(world, 0)) <= 50.5
    assert max(written(world)) <= 6
    order = sorted(world.sent, key=world.sent.__getitem__)
    assert max(abs(place - number) for place, number in enumerate(order)) < 500, "a second or some of disorder"


@pytest.mark.parametrize(("rate", "share"), [(2_000.0, 0.95), (5_000.0, 0.7)])
def test_a_high_limit_is_used_as_far_as_memory_carries_it(rate: float, share: float) -> None:
    """Its jobs spend their last eight seconds in memory; those that find none there are not written again and again."""
    world = World(down(0, 16_000), rate=rate)
    flood(world, 80_000, 1_000)
    world.run(HOUR, 80_000)
    sent = sorted(world.sent.values())
    seconds = (sent[76_000] - sent[0]) / 1_000
    assert 76_000 / seconds >= share * rate
    assert sum(written(world)) <= 3 * 80_000
    assert world.later.jobs == 0
    assert world.most <= world.memory + world.waiting


def test_a_partner_that_is_back_is_sent_its_limit_from_then_on() -> None:
    """The schedule has no hole for the time in which its jobs could not be sent."""
    world = World(down(0, 20_000), rate=200.0)
    flood(world, 12_000, 3_000)
    world.run(HOUR, 12_000)
    first = min(world.sent.values())
    assert first <= 20_000 + 33_000, "a probe, the second pause at most"
    windows = per_window(world, first + 1_000)
    assert min(windows[:-1]) >= 0.95 * 200
    assert sum(written(world)) <= 3 * 12_000


def test_a_backlog_that_is_interrupted_keeps_its_place_and_its_limit() -> None:
    begin, end = 60_000, 180_000
    world = World(down(begin, end), rate=50.0)
    flood(world, 15_000, 4_000)
    world.run(HOUR, 15_000)
    assert len(world.sent) == 15_000
    back = min(at for at in world.sent.values() if at >= end)
    assert back <= end + 64_000
    assert min(per_window(world, back)[1:-1]) >= 0.95 * 50
    assert max(written(world)) <= 10
    left = [number for number in sorted(world.sent, key=world.sent.__getitem__) if not world.tried[number]]
    places = {number: place for place, number in enumerate(sorted(left))}
    assert max(abs(place - places[number]) for place, number in enumerate(left)) < 1_000


@pytest.mark.parametrize("rate", [10.0, None])
@pytest.mark.parametrize("took", [20, TIMEOUT])
def test_an_hour_without_the_partner_writes_a_job_a_few_times(rate: float | None, took: int) -> None:
    """All of it waits for the same moment: about one write for each of the breaker's pauses."""
    world = World(down(0, HOUR, took), rate=rate)
    flood(world, 3_000, 2_000)
    world.run(HOUR + HOUR // 2, 3_000)
    assert len(world.sent) == 3_000
    assert sum(written(world)) <= 22 * 3_000
    assert max(written(world)) <= 40
    back = min(world.sent.values())
    assert back <= HOUR + 256_000 + TIMEOUT
    if rate is not None:
        assert min(per_window(world, back + 10_000)[:-1]) >= 0.9 * rate


@pytest.mark.parametrize(("rate", "mean"), [(10.0, 9), (None, 8)])
def test_what_comes_while_a_partner_is_down_is_spread(rate: float | None, mean: int) -> None:
    world = World(down(0, HOUR), rate=rate)
    count = 8 * HOUR // 1_000
    for number in range(count):
        world.decide(number, number * 125)
    world.run(3 * HOUR, count)
    assert len(world.sent) == count
    assert sum(written(world)) <= mean * count
    if rate is None:
        busiest = max(Counter(at // 1_000 for at in world.sent.values()).values())
        assert busiest <= 40 * 8, "no herd"
        assert max(world.sent.values()) <= 1.4 * HOUR + 256_000


@pytest.mark.parametrize("begin", range(60_000, 77_000, 2_000))
def test_a_lane_that_may_suddenly_send_more_has_jobs_for_it(begin: int) -> None:
    """Another sender is gone, whose jobs come with its partitions only, up to eleven seconds later."""
    world = World(lambda at: WELL, rate=50.0)
    world.lane.configure(world.lane.partner, 0.5)
    flood(world, 6_000, 4_000)
    world.run(begin)
    before = len(world.sent)
    world.lane.configure(world.lane.partner, 0.5, Part(1.0, 50))
    world.run(begin + 11_000)
    assert len(world.sent) - before >= 0.97 * 11 * 50


@given(
    st.sampled_from([None, 5.0, 40.0]),
    st.lists(st.tuples(st.integers(1_000, 90_000), st.integers(1_000, 90_000)), max_size=4),
    st.sampled_from([20, TIMEOUT]),
    st.sampled_from([3, 100]),
)
@settings(max_examples=25, deadline=None)
def test_none_is_lost_and_none_goes_round_for_ever(
    rate: float | None, outages: list[tuple[int, int]], took: int, slots: int
) -> None:
    spans, at = [], 0
    for well, ill in outages:
        spans.append((at + well, at + well + ill))
        at += well + ill

    def answer(now: int) -> Answer:
        return Answer(took, False) if any(begin <= now < end for begin, end in spans) else WELL

    world = World(answer, rate=rate, slots=slots)
    flood(world, 400, 5_000)
    world.run(at + HOUR, 400)
    assert len(world.sent) == 400
    assert max(world.written.values(), default=0) <= 40
    if rate is not None:
        times = sorted(world.sent.values())
        assert all(later - earlier >= 9_900 for earlier, later in zip(times, times[int(rate * 10) + 3 :], strict=False))
