"""The schedule is a pure function of seed and counts, and does what the counts say."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.faults import STEPS, FaultPoints
from streams.torture.conductor import fault, left_out, told
from streams.torture.schedule import (
    EACH,
    PLACES,
    BrokerRestart,
    Counts,
    Deaths,
    Join,
    Leave,
    Standstill,
    Zombie,
    schedule,
)

counts = st.builds(
    Counts,
    kills=st.integers(0, 120),
    zombies=st.integers(0, 8),
    wipes=st.integers(0, 20),
    rebalances=st.integers(0, 15),
    broker_restarts=st.integers(0, 6),
    standstills=st.integers(0, 3),
    workers=st.integers(1, 5),
)
seeds = st.integers(0, 1 << 40)


def deaths(of: tuple[object, ...]) -> list[object]:
    return [death for one in of if isinstance(one, Deaths) for death in one.victims]


@given(seeds, counts)
def test_the_same_seed_and_counts_give_the_same_schedule(seed: int, given_counts: Counts) -> None:
    assert schedule(seed, given_counts) == schedule(seed, given_counts)


@given(seeds, counts)
def test_everything_happens_as_often_as_the_counts_say(seed: int, given_counts: Counts) -> None:
    found = schedule(seed, given_counts)
    died = deaths(found)
    kinds = Counter(type(one) for one in found)
    assert len(died) == given_counts.kills
    assert sum(death.wiped for death in died) == min(given_counts.wipes, given_counts.kills)  # type: ignore[attr-defined]
    assert kinds[Zombie] == given_counts.zombies
    assert kinds[Join] + kinds[Leave] == given_counts.rebalances
    assert kinds[BrokerRestart] == given_counts.broker_restarts
    assert kinds[Standstill] == given_counts.standstills


@given(seeds, counts.map(lambda one: one._replace(kills=one.kills + EACH * len(PLACES))))
def test_with_kills_enough_every_step_of_both_stages_is_hit_twice(seed: int, given_counts: Counts) -> None:
    at = Counter(death.place for death in deaths(schedule(seed, given_counts)))  # type: ignore[attr-defined]
    assert all(at[place] >= EACH for place in PLACES)


def test_the_default_hits_every_step_twice_and_leaves_kills_for_other_moments() -> None:
    assert {place.split("/")[1] for place in PLACES} == set(STEPS)
    at = Counter(death.place for death in deaths(schedule(1, Counts())))  # type: ignore[attr-defined]
    assert min(at[place] for place in PLACES) == EACH
    assert at[""] >= 10


@given(seeds, counts)
def test_a_round_kills_each_worker_at_most_once_and_only_workers_there_are(seed: int, given_counts: Counts) -> None:
    for one in schedule(seed, given_counts):
        if isinstance(one, Deaths):
            slots = [death.slot for death in one.victims]
            assert len(set(slots)) == len(slots) >= 1
            assert set(slots) <= set(range(given_counts.workers))
        if isinstance(one, Zombie):
            assert one.slot < given_counts.workers


@given(seeds, counts)
def test_only_a_worker_that_has_joined_leaves(seed: int, given_counts: Counts) -> None:
    more = 0
    for one in schedule(seed, given_counts):
        more += isinstance(one, Join) - isinstance(one, Leave)
        assert more in (0, 1)


def test_every_fault_point_is_one_that_a_worker_takes() -> None:
    wanted = {fault(death) for seed in range(5) for death in deaths(schedule(seed, Counts()))}  # type: ignore[arg-type]
    assert len(wanted) > len(PLACES)
    for one in wanted:
        FaultPoints(one)


def test_what_cannot_be_done_is_left_out_and_said() -> None:
    done, missing = left_out(Counts(broker_restarts=3), can_restart=False)
    assert done.broker_restarts == 0
    assert "3 broker restarts" in missing[0]
    assert left_out(Counts(), can_restart=True) == (Counts(), [])


def test_of_a_broker_that_a_command_restarts_no_more_is_told_than_is_known() -> None:
    assert told(BrokerRestart(13.0, abrupt=True)) == "the broker is killed, back after 13 s"
    assert told(BrokerRestart(13.0, abrupt=True), "./restart.sh") == "the broker is restarted: ./restart.sh"
