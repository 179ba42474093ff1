"""Processes that share a partner's limits: never more than the limit together, whatever each hears how late."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import Partner
from schemas.presence import Presence, Wish, decode, encode
from streams.delivery import shares as room
from streams.delivery.needs import Work
from streams.delivery.shares import LATE, LONGEST, Part, Shares, by_partitions, filled, pace
from tests.support.sending import partner_named

TICK = 100
INTERVAL, LEASE = pace(2)
RATED = partner_named("rated", rate_limit=50.0)
SINGLE = partner_named("single", max_in_flight=1)
PARTNERS = (RATED, SINGLE)


@dataclass
class Process:
    """A process of the world, what it may use, and its requests under way."""

    shares: Shares
    share: float
    #: For how long a record takes to reach it, and for how long it stands still (ms).
    delay: int = 0
    frozen: int = 0
    mute: bool = False
    alive: bool = True
    awake: bool = False
    read: int = 0
    queued: dict[str, int] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    #: For so many steps more a request is under way.
    flying: int = 0
    parts: dict[str, Part] = field(default_factory=dict)

    def part(self, partner: Partner) -> Part:
        return self.parts.get(partner.id, Part(0.0, 0))


class World:
    """A topic and the processes that read it, each with a clock of its own."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1_000
        self.topic: list[tuple[int, bytes]] = []
        self.processes: list[Process] = []
        self.chance = random.Random(seed)
        self.lost = 0.0

    def join(self, share: float, **queued: int) -> Process:
        name = f"p{len(self.processes)}"
        one = Process(Shares(name, self._clock(len(self.processes))), share, queued=dict(queued))
        self.processes.append(one)
        return one

    def _clock(self, number: int) -> int:
        """Clocks of different machines have nothing to do with each other."""
        return self.now + number * 1_000_003

    def step(self) -> None:
        self.now += TICK
        for number, one in enumerate(self.processes):
            one.awake = one.alive and one.frozen <= 0
            if not one.awake:
                one.flying = 0  # what outlives that is not counted
            if one.awake:
                self._turn(one, self._clock(number))
            one.frozen -= TICK

    def _turn(self, one: Process, now: int) -> None:
        one.shares.look(now)
        one.parts = {partner.id: one.shares.part(partner, one.share) for partner in PARTNERS}
        while one.read < len(self.topic) and self.topic[one.read][0] + one.delay <= self.now:
            appended, value = self.topic[one.read]
            presence = decode(value)
            assert presence is not None
            one.shares.hear(presence, one.read, appended, now)
            one.read += 1
        rate = one.part(RATED).rate * 50.0 * TICK / 1_000 if one.part(RATED).slots else 0.0
        sent = min(rate, one.queued.get("rated", 0))
        one.started["rated"] = one.started.get("rated", 0.0) + sent
        one.queued["rated"] = one.queued.get("rated", 0) - sent  # type: ignore[assignment]
        one.flying = max(0, one.flying - 1)
        if one.part(SINGLE).slots and one.queued.get("single") and not one.flying:
            one.flying = self.chance.randint(1, 8)
        work = [
            Work(RATED, int(one.started["rated"]), int(one.queued["rated"]), 0),
            Work(SINGLE, 0, one.queued.get("single", 0), min(1, one.flying)),
        ]
        one.shares.watch(one.share, work, now)
        said = one.shares.say(now)
        one.parts = {partner.id: one.shares.part(partner, one.share) for partner in PARTNERS}
        if said is not None and not one.mute and self.chance.random() >= self.lost:
            self.topic.append((self.now, encode(said)))

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds // TICK):
            self.step()
            self.check()

    def check(self) -> None:
        going = [one for one in self.processes if one.awake]
        used = [one.part(RATED).rate for one in going if one.part(RATED).slots]
        assert sum(used) <= 1.0 + 1e-9, (self.now, used)
        flying = [min(1, one.flying) for one in going]
        assert sum(flying) <= 1, (self.now, flying)

    def used(self) -> list[float]:
        return [round(one.part(RATED).rate, 2) if one.part(RATED).slots else 0.0 for one in self.processes]


def world(*processes: dict[str, int], seed: int = 0) -> World:
    made = World(seed)
    for queued in processes:
        made.join(1 / len(processes), **queued)
    return made


def test_one_that_is_alone_has_the_whole() -> None:
    made = world({"rated": 10_000, "single": 9})
    made.run(1_000)
    assert made.used() == [1.0]
    assert made.processes[0].part(SINGLE).slots == 1


def test_those_that_have_work_divide_by_their_partitions() -> None:
    made = World()
    made.join(0.75, rated=10_000)
    made.join(0.25, rated=10_000)
    made.run(2_000)
    assert made.used() == [0.75, 0.25]


def test_who_has_no_work_leaves_its_part_and_has_it_again_within_a_second() -> None:
    made = world({"rated": 100_000}, {})
    made.run(2_000)
    first, second = made.used()
    assert first >= 0.98
    assert 0.0 < second <= 0.02, "a first job need not wait"
    made.processes[1].queued["rated"] = 100_000
    made.run(1_000)
    assert made.used() == [0.5, 0.5]


def test_who_needs_little_has_what_it_needs_and_the_other_the_rest() -> None:
    made = world({"rated": 100_000}, {})
    for _ in range(60):
        made.processes[1].queued["rated"] = made.processes[1].queued.get("rated", 0) + 2  # 10 a second of 50
        made.run(200)
    first, second = made.used()
    assert first >= 0.65, made.used()
    assert first + second >= 0.97
    assert made.processes[1].queued["rated"] < 10, "it keeps up"


def test_the_part_of_one_that_was_killed_is_anothers_when_it_has_stopped_for_sure() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.run(2_000)
    made.processes[1].alive = False
    made.run(LEASE)
    assert made.used()[0] == 0.5
    made.run(LATE + INTERVAL + 4 * TICK)
    assert made.used()[0] == 1.0


def test_few_speak_often_and_what_they_say_holds_for_longer_where_kafka_takes_longer() -> None:
    assert [pace(processes) for processes in (1, 2, 8, 12, 50)] == [
        (200, 800),
        (200, 800),
        (200, 800),
        (300, 900),
        (400, 1_000),
    ]
    assert [pace(2, took)[1] for took in (100, 300, 500, 900)] == [800, 800, 1_200, 1_500]


def test_one_that_hears_late_has_its_part_and_the_others_wait_for_longer_when_it_is_gone() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.processes[1].delay = 900
    made.run(6_000)
    assert made.used() == [0.5, 0.5]
    made.processes[1].alive = False
    made.run(LONGEST)
    assert made.used()[0] == 0.5
    made.run(LATE + INTERVAL + 4 * TICK)
    assert made.used()[0] == 1.0


def agreed_at(shares: Shares, now: int, *others: Presence) -> Presence:
    """Say something, and read it back behind what others say, all at the same moment."""
    shares.look(now)
    for other in others:
        shares.hear(other, 0, now, now)
    said = shares.say(now)
    assert said is not None
    shares.hear(said, 0, now, now)
    return said


def test_one_of_an_older_version_has_its_part_for_as_long_as_it_uses_it() -> None:
    shares = Shares("a", 0)
    shares.watch(0.5, [Work(RATED, 0, 100, 0)], 0)
    older = Presence(process="b", number=1, share=0.5, partners={"rated": Wish(1.0, 0.5)})
    assert b"lease" not in encode(older)
    agreed_at(shares, 0, older)
    for now in range(200, 1_601, 200):
        agreed_at(shares, now)
        assert shares.part(RATED, 0.5).rate == pytest.approx(0.5)
    agreed_at(shares, 1_800)
    agreed_at(shares, 2_000)
    assert shares.part(RATED, 0.5).rate == pytest.approx(1.0)


def test_who_speaks_more_often_again_stops_by_the_shorter_lease() -> None:
    """The others may have heard the message that it has not read back."""
    shares = Shares("a", 0)
    shares.watch(0.02, [Work(RATED, 0, 100, 0)], 0)
    agreed_at(shares, 0, *(Presence(process=f"p{n}", number=1, share=0.02, rest=0.01) for n in range(20)))
    assert agreed_at(shares, 300).lease == 1_000
    for number in range(20):
        shares.hear(Presence(process=f"p{number}", number=2, share=0.0, leaving=True), 0, 400, 400)
    shares.look(450)
    said = shares.say(450)
    assert said is not None
    assert said.lease == 800
    for now, used in ((850, True), (1_240, True), (1_260, False)):
        shares.look(now)
        assert (shares.part(RATED, 0.02).rate > 0.0) == used


def test_the_slot_of_one_that_is_gone_is_free_when_its_last_request_may_be_over() -> None:
    shares = Shares("a", 0)
    shares.watch(0.5, [Work(SINGLE, 0, 9, 0)], 0)
    other = Presence(process="b", number=1, share=0.5, partners={"single": Wish(1.0, 0.0, 1)}, lease=LEASE)
    agreed_at(shares, 0, other)
    free = next(now for now in range(200, 4_000, 200) if agreed_at(shares, now) and shares.part(SINGLE, 0.5).slots)
    assert free >= 2_200


def test_the_part_of_one_that_leaves_is_free_at_once() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.run(2_000)
    second = made.processes[1]
    second.alive = False
    made.topic.append((made.now, encode(second.shares.leave())))
    made.run(600)
    assert made.used()[0] == 1.0


def test_one_that_stood_still_uses_nothing_until_it_has_heard_itself() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.run(2_000)
    second = made.processes[1]
    second.frozen = 20_000
    made.run(20_000)
    assert made.used()[0] == 1.0
    second.delay = 1_000
    made.run(900)
    assert made.used()[1] == 0.0
    second.delay = 0
    made.run(3_000)
    assert made.used() == [0.5, 0.5]


def test_one_that_hears_and_is_not_heard_stops_before_the_others_have_its_part() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.run(2_000)
    second = made.processes[1]
    second.mute = True
    made.run(4_500)
    assert made.used() == [1.0, 0.0]
    second.mute = False
    made.run(2_000)
    assert made.used() == [0.5, 0.5]


def test_while_kafka_is_away_nothing_is_used_and_after_a_while_it_goes_by_partitions() -> None:
    made = world({"rated": 100_000}, {})
    made.run(2_000)
    before = made.used()
    made.lost = 1.0
    made.run(2_500)
    assert made.used() == [0.0, 0.0]
    made.run(5_500)
    assert made.used() == [0.5, 0.5]
    made.lost = 0.0
    made.run(3_000)
    assert made.used() == before


def test_a_process_that_nobody_answers_at_the_start_goes_by_its_partitions() -> None:
    made = world({"rated": 100, "single": 1}, {})
    made.lost = 1.0
    made.run(5_000)
    assert made.used() == [0.0, 0.0]
    for _ in range(3):
        made.step()
    assert made.used() == [0.5, 0.5]


def test_a_newcomer_takes_nothing_from_those_it_has_not_heard() -> None:
    made = world({"rated": 100_000}, {"rated": 100_000})
    made.run(3_000)
    made.join(0.5, rated=100_000)
    least = 1.0
    for _ in range(30):
        made.run(TICK)
        least = min(least, sum(made.used()))
    assert least >= 0.6
    assert sum(made.used()) >= 0.98


def test_what_was_said_before_a_claim_counts_also_when_it_was_not_known_yet() -> None:
    """One that hears everything half a second later claims the whole, while another has claimed its half."""
    made = World()
    made.join(0.5, rated=100_000).delay = 600
    made.run(300)
    made.join(0.5, rated=100_000)
    made.run(6_000)
    assert made.used() == [0.5, 0.5]


def test_no_more_is_used_than_others_had_left_when_the_claim_was_made() -> None:
    shares = Shares("a", 0)
    shares.watch(0.5, [Work(RATED, 0, 100, 0)], 0)
    first = shares.say(0)
    assert first is not None
    shares.hear(first, 0, 0, 100)
    second = shares.say(300)
    assert second is not None
    assert second.partners["rated"].part == 1.0
    shares.hear(Presence(process="b", number=1, share=0.5, partners={"rated": Wish(1.0, 0.4)}), 1, 300, 400)
    shares.hear(second, 2, 300, 400)
    assert shares.part(RATED, 0.5).rate == pytest.approx(0.6)


def test_one_slot_is_had_by_one_and_each_in_turn() -> None:
    made = world({"single": 9}, {"single": 9}, {"single": 9})
    made.run(2_000)
    had: dict[int, int] = {}
    for _ in range(1_500):
        made.run(TICK)
        for number, one in enumerate(made.processes):
            had[number] = had.get(number, 0) + one.part(SINGLE).slots
    assert len(had) == 3
    assert min(had.values()) > 100, had
    assert sum(had.values()) > 1_200, "hardly ever nobody's"


def test_an_agreement_that_comes_too_late_is_none() -> None:
    """What was said before a silence says nothing of who has spoken since."""
    shares = Shares("a", 0)
    said = shares.say(0)
    assert said is not None
    for now in range(100, 2_200, 100):
        shares.look(now)
    shares.hear(said, 0, 0, 2_200)
    assert shares.part(RATED, 0.5).slots == 0


def test_a_message_that_comes_a_second_time_changes_nothing() -> None:
    shares = Shares("a", 0)
    shares.watch(0.5, [Work(RATED, 0, 100, 0)], 0)

    def agree(now: int) -> float:
        said = shares.say(now)
        assert said is not None
        shares.hear(said, 0, now, now)
        return shares.part(RATED, 0.5).rate

    agree(0)
    much = Presence(process="b", number=2, share=0.5, partners={"rated": Wish(0.9, 0.9)})
    little = Presence(process="b", number=1, share=0.5, partners={"rated": Wish(0.1, 0.1)})
    for other in (little, much, little):
        shares.hear(other, 0, 0, 100)
    assert agree(300) <= 0.1


def test_slots_that_can_be_divided_go_by_partitions_and_need_no_agreement() -> None:
    partner = partner_named(max_in_flight=10)
    fresh = Shares("a", 0)
    assert [fresh.part(partner, share).slots for share in (0.5, 0.35, 0.15)] == [5, 3, 1]
    assert fresh.part(partner, 0.05).slots == 0
    assert by_partitions(partner, 0.05) == Part(0.05, 1)


Change = tuple[str, int, int]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["join", "kill", "freeze", "delay", "work", "idle", "lose", "share", "leave"]),
        st.integers(0, 5),
        st.integers(0, 40),
    ),
    max_size=25,
)


def change(made: World, what: str, which: int, size: int) -> None:
    left = 1.0 - sum(one.share for one in made.processes if one.alive)
    if what == "join":
        made.join(min(0.5, left), rated=100_000, single=9)
        return
    one = made.processes[which % len(made.processes)]
    if what == "kill":
        one.alive = False
    elif what == "leave" and one.alive:
        one.alive = False
        made.topic.append((made.now, encode(one.shares.leave())))
    elif what == "freeze":
        one.frozen = 500 * size
    elif what == "delay":
        # It stands still meanwhile, or it hears others in time: what is read later than that is not theirs to know.
        one.delay = 35 * size
    elif what == "work":
        one.queued = {"rated": 100_000, "single": 9}
    elif what == "idle":
        one.queued = {}
    elif what == "lose":
        made.lost = size / 100
    elif what == "share":
        # Never all of them: who had a slot in turn, and loses its partitions, has its requests over before that.
        one.share = min(size / 41, one.share + left)


def test_who_stood_still_at_the_start_waits_anew_before_it_goes_by_partitions() -> None:
    made = world({"rated": 10_000}, {"rated": 10_000})
    made.run(100)
    made.processes[1].frozen = 7_000
    made.run(15_000)
    assert made.used() == [0.5, 0.5]


@given(CHANGES, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_together_they_never_use_more_than_the_limit(changes: list[Change], seed: int) -> None:
    made = World(seed)
    for what, which, size in [("join", 0, 0), ("join", 0, 0), *changes]:
        change(made, what, which, size)
        made.run(100 + 100 * (size % 30))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8), st.floats(0, 1))
def test_what_is_divided_is_all_and_nobody_lacks_while_another_has_too_much(
    wanting: list[tuple[float, float]], left: float
) -> None:
    named = [(str(number), weight, need) for number, (weight, need) in enumerate(wanting)]
    found = filled(named, left)
    assert sum(found.values()) == pytest.approx(left)
    short = [name for name, _, need in named if found[name] < need - 1e-9]
    over = [name for name, _, need in named if found[name] > need + 1e-9]
    assert not (short and over)


def test_more_partners_than_can_be_listed_go_by_partitions() -> None:
    shares = Shares("a", 0)
    many = [partner_named(f"p{n}", rate_limit=1.0) for n in range(room.LISTED + 5)]
    shares.watch(0.5, [Work(partner, 0, 1, 0) for partner in many], 0)
    for now in (100, 400):
        said = shares.say(now)
        assert said is not None
        assert len(said.partners) == room.LISTED
        shares.hear(said, 0, now, now)
    parts = [shares.part(partner, 0.5).rate for partner in many]
    assert sorted(set(parts)) == [0.5, 1.0]
    assert parts.count(0.5) == 5


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b'{"process":"a"}',
        b'{"process":"a","number":1,"share":7}',
        b'{"process":"a","number":1,"share":0.5,"lease":0}',
        b'{"process":"a","number":1,"share":0.5,"lease":60000}',
        b'{"process":"a","number":1,"share":0.5,"partners":{"a":[0.1,-1,0]}}',
        b'{"process":"a","number":1,"share":0.5,"partners":{"a":[0.1,0.1,-1]}}',
    ],
)
def test_what_cannot_be_is_not_heard(value: bytes | None) -> None:
    assert decode(value) is None


def test_a_message_survives_its_record() -> None:
    said = Presence(process="a", number=3, share=0.5, rest=0.01, partners={"acme": Wish(1.0, 0.25, 1)})
    assert decode(encode(said)) == said
