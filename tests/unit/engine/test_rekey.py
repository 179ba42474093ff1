"""Rekeyed sources, pure: what they carry, where they put it, and that the device stage decides by it as by records that
were written where they belong: at any speed, from a backlog, and whoever dies on the way.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import App, Configuration, Endpoint, Partner, Postback, Source
from streams.engine import rekey
from streams.engine.holds import Holds
from streams.engine.merge import Merge
from streams.engine.output import Output
from streams.engine.raw import Lying, Raw
from streams.engine.rekey import Original, Pace, Passage, Router
from streams.errors import Stop
from streams.kafka import partition_of
from streams.replay import run

EVENTS = Source(topic="events", record="event", rekey=True)
INSTALLS = Source(topic="installs", record="install")
MORE = Source(topic="more", record="install", rekey=True)
GAME = App(
    id="game", project="p", platform="android", bundle_id="game", device_key=("google_aid", "os_id"), install_grace=5
)
URL = Endpoint(url="https://acme.example/{event_id}", method="GET")
CONFIGURATION = Configuration(
    generation=1,
    sources=(INSTALLS, EVENTS, MORE),
    apps=(GAME,),
    partners=(Partner(id="acme", name="Acme"),),
    postbacks=tuple(
        Postback(
            id=event,
            title=event,
            app="game",
            partner="acme",
            event=event,
            delivery_method="all",
            endpoint=URL,
        )
        for event in ("install", "payment", "first_payment_ca")
    ),
)


PARTITIONS = 3
T0 = 1_767_323_045_000


class Fetched(NamedTuple):
    """A record of a topic of ours, as it is fetched."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def router(apps: tuple[App, ...] = (GAME,), source: Source = EVENTS) -> Router:
    return Router(source, apps, 1_000_000, PARTITIONS, partition_of)


def payment(device: int, **more: object) -> bytes:
    fields = {"app_id": "game", "os_id": f"d{device}", "event_name": "payment", "revenue": 1, **more}
    return json.dumps(fields).encode()


def raw(original: Original, source: Source, number: int) -> Raw:
    return Raw(source.topic, *original, source, Lying("internal", number, 0))


class Rekeyed:
    """A source, its original topic, and its rekeyer, which may die: then all but what is committed is forgotten."""

    def __init__(self, source: Source, partitions: int, chance: random.Random) -> None:
        self.source, self.chance, self.router = source, chance, router(source=source)
        self.logs: list[list[Original]] = [[] for _ in range(partitions)]
        self.internal: list[list[Fetched]] = [[] for _ in range(PARTITIONS)]
        self.marker = dict.fromkeys(range(partitions), 0)
        self.late: list[int] = []
        self.die()

    def die(self) -> None:
        self.passage, self.read = Passage(self.marker), dict(self.marker)

    def append(self, now: int, value: bytes) -> None:
        number = self.chance.randrange(len(self.logs))
        self.logs[number].append(Original(number, len(self.logs[number]), now, None, value))

    def fetch(self, most: int) -> None:
        number = self.chance.randrange(len(self.logs))
        at = self.read[number]
        some = self.logs[number][at : at + most]
        self.read[number] += len(some)
        self.passage.feed(number, some, self.read[number])

    def look(self, moment: int) -> None:
        self.passage.stood_at({number: len(log) for number, log in enumerate(self.logs)}, moment)

    def write(self, most: int) -> None:
        records = self.passage.take(most)
        for _, key, value, number in self.router.rows("internal", records):
            self._put(number, key, value)
        self.marker = self.passage.positions()

    def tell(self) -> None:
        """What was true once may be told later, by one that is dead by now."""
        self.late.append(self.passage.before())
        told = self.late.pop(self.chance.randrange(len(self.late)))
        for number in range(PARTITIONS):
            self._put(number, None, rekey.passed(told))

    def _put(self, number: int, key: bytes | None, value: bytes) -> None:
        self.internal[number].append(Fetched(len(self.internal[number]), 0, key, value))

    def step(self, now: int) -> None:
        """Something that it may do."""
        one = self.chance.choice(("fetch", "fetch", "look", "write", "write", "tell", "die"))
        if one == "fetch":
            self.fetch(self.chance.randint(1, 8))
        elif one == "look":
            self.look(now - self.chance.randint(0, 2))
        elif one == "write":
            self.write(self.chance.randint(1, 8))
        elif one == "tell":
            self.tell()
        elif self.chance.random() < 0.2:
            self.die()


class Lane:
    """A partition of the device stage, which may die too: rows and positions are what it has committed."""

    def __init__(self, number: int, direct: list[Original], rekeyed: list[Rekeyed], chance: random.Random) -> None:
        self.number, self.direct, self.chance = number, direct, chance
        self.rekeyed = {f"internal-{one.source.topic}": one for one in rekeyed}
        self.partition = run.Partition(
            run.device_stage(CONFIGURATION), number, PARTITIONS, run.Memory(), Holds(), now=1
        )
        self.applied = dict.fromkeys((INSTALLS.topic, *self.rekeyed), 0)
        self.outputs: list[Output] = []
        self.order: list[tuple[str, int, int]] = []
        self.die()

    def die(self) -> None:
        kinds = [(topic, one.source.record == "install") for topic, one in self.rekeyed.items()]
        self.merge: Merge[Raw] = Merge([(INSTALLS.topic, True), *kinds])
        self.read = dict(self.applied)
        for topic, at in self.read.items():
            self.merge.feed(topic, (), at)

    def fetch(self, most: int) -> None:
        topic = self.chance.choice(list(self.read))
        at = self.read[topic]
        if topic == INSTALLS.topic:
            some = [Raw(topic, *one, INSTALLS) for one in self.direct[at : at + most]]
            self.read[topic] += len(some)
            self.merge.feed(topic, some, self.read[topic])
            return
        source = self.rekeyed[topic]
        fetched = source.internal[self.number][at : at + most]
        self.read[topic] += len(fetched)
        raws, before = rekey.unwrap(topic, self.number, fetched, source.source)
        self.merge.feed(topic, raws, self.read[topic])
        self.merge.passed(topic, before)

    def look(self, moment: int) -> None:
        self.merge.stood_at(INSTALLS.topic, len(self.direct), moment)

    def take(self, most: int) -> None:
        records, progress = self.merge.take(most), self.merge.progress()
        self.order += [(one.topic, one.partition, one.offset) for one in records]
        self.outputs += self.partition.process(records, progress)
        for topic in self.applied:
            first = self.merge.buffered(topic)
            at = self.merge.position(topic)
            self.applied[topic] = at if first is None else (first.lies or first).offset

    def step(self, now: int) -> None:
        one = self.chance.choice(("fetch", "fetch", "fetch", "look", "take", "take", "die"))
        if one == "fetch":
            self.fetch(self.chance.randint(1, 8))
        elif one == "look":
            self.look(now - self.chance.randint(0, 2))
        elif one == "take":
            self.take(self.chance.randint(1, 8))
        elif self.chance.random() < 0.2:
            self.die()


class World:
    """Installs that lie right, or half of them in a rekeyed source too, events that are rekeyed, and time."""

    def __init__(self, seed: int, partitions: int, *, more: bool) -> None:
        self.chance = chance = random.Random(seed)
        self.now = T0
        self.rekeyed = [Rekeyed(EVENTS, partitions, chance)]
        if more:
            self.rekeyed.append(Rekeyed(MORE, chance.randint(1, 4), chance))
        self.direct: list[list[Original]] = [[] for _ in range(PARTITIONS)]
        self.lanes = [Lane(number, self.direct[number], self.rekeyed, chance) for number in range(PARTITIONS)]
        self.everybody: list[Rekeyed | Lane] = [*self.rekeyed, *self.lanes]

    def append(self) -> None:
        self.now += self.chance.choice((0, 0, 1, 2, 7))
        device = self.chance.randrange(6)
        kind = self.chance.random()
        if kind < 0.7:
            # Without an id: it is that of the record's own place in its own topic.
            bad = self.chance.random() < 0.1
            self.rekeyed[0].append(self.now, b"not json" if bad else payment(device))
            return
        value = json.dumps({"app_id": "game", "os_id": f"d{device}", "publisher_name": "acme"}).encode()
        if kind < 0.85 and len(self.rekeyed) > 1:
            self.rekeyed[1].append(self.now, value)
            return
        number = partition_of(b"game|d%d" % device, PARTITIONS)
        self.direct[number].append(Original(number, len(self.direct[number]), self.now, None, value))

    def live(self, records: int, speed: int) -> None:
        """So many records, with so many steps of everybody in between; 0: all of it is a backlog."""
        for _ in range(records):
            self.append()
            for _ in range(speed):
                self.everybody[self.chance.randrange(len(self.everybody))].step(self.now)

    def drain(self) -> None:
        """Everybody goes on until nothing is left, with some deaths on the way."""
        for _ in range(300):
            self.now += 3
            for one in self.everybody:
                one.step(self.now)
        self.now += 1_000
        for source in self.rekeyed:
            while any(source.read[number] < len(log) for number, log in enumerate(source.logs)):
                source.fetch(1_000)
            source.look(self.now)
            source.write(100_000)
            source.late.clear()
            source.tell()
        for lane in self.lanes:
            lane.look(self.now)
            for _ in range(200):
                lane.fetch(1_000)
            lane.take(100_000)
            lane.take(0)
            assert len(lane.merge) == 0

    def order(self, number: int) -> list[tuple[str, int, int]]:
        """The places of a partition's records, in the order of their append times; installs first, then the sources."""
        found = [(one.appended, 0, INSTALLS.topic, one.partition, one.offset) for one in self.direct[number]]
        for source in self.rekeyed:
            for one in (one for log in source.logs for one in log):
                if source.router.route(one.partition, one.offset, one.value)[1] == number:
                    rank = 1 if source.source is MORE else 2
                    found.append((one.appended, rank, source.source.topic, one.partition, one.offset))
        return [place[2:] for place in sorted(found)]

    def placed(self) -> list[list[Output]]:
        """The same records, as if they had been written to where they belong."""
        outputs = []
        for number in range(PARTITIONS):
            stage = run.Partition(run.device_stage(CONFIGURATION), number, PARTITIONS, run.Memory(), Holds(), now=1)
            devices = run.Devices([INSTALLS, *(one.source for one in self.rekeyed)], stage)
            devices.feed(INSTALLS.topic, [Raw(INSTALLS.topic, *one, INSTALLS) for one in self.direct[number]])
            for source in self.rekeyed:
                lying = sorted((one.appended, one.partition, one.offset) for log in source.logs for one in log)
                ours = [source.logs[partition][offset] for _, partition, offset in lying]
                route = source.router.route
                mine = [one for one in ours if route(one.partition, one.offset, one.value)[1] == number]
                devices.feed(source.source.topic, [raw(one, source.source, number) for one in mine])
            for topic in (INSTALLS.topic, *(one.source.topic for one in self.rekeyed)):
                devices.end(topic)
            outputs.append(list(devices.outputs()))
        return outputs


def jobs(outputs: list[Output]) -> Counter[bytes]:
    return Counter(value for output in outputs for value in run.jobs(output))


def letters(outputs: list[Output]) -> Counter[bytes]:
    return Counter(one.value for output in outputs for one in output.outgoing if one.topic == run.NAMES.dead_letters)


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 32), partitions=st.integers(1, 5), speed=st.integers(0, 8), more=st.booleans())
def test_rekeyed_records_are_decided_as_those_that_lie_right(
    seed: int, partitions: int, speed: int, more: bool
) -> None:
    world = World(seed, partitions, more=more)
    world.live(80, speed)
    world.drain()
    for lane, placed in zip(world.lanes, world.placed(), strict=True):
        assert jobs(lane.outputs) == jobs(placed)
        assert letters(lane.outputs) == letters(placed)
        assert lane.order == world.order(lane.number)


def test_a_record_goes_to_the_partition_of_its_device_whatever_its_spelling() -> None:
    key, number = router().route(0, 0, payment(1, google_aid="ABC-1"))
    assert (key, number) == (b"game|abc-1", partition_of(b"game|abc-1", PARTITIONS))


@pytest.mark.parametrize("value", [None, b"{", b'{"app_id": "other", "os_id": "x", "event_name": "launch"}'])
def test_a_record_without_a_device_always_goes_to_the_same_partition(value: bytes | None) -> None:
    places = {router().route(2, offset, value) for offset in range(50)}
    assert places == {router().route(2, offset, value) for offset in range(50)}
    assert {key for key, _ in places} == {None}
    assert {number for _, number in places} == set(range(PARTITIONS))


@given(
    st.tuples(
        st.integers(0, 1 << 31),
        st.integers(0, 1 << 62),
        st.integers(0, 1 << 62),
        st.none() | st.binary(),
        st.none() | st.binary(),
    )
)
def test_a_record_arrives_as_it_left(one: tuple[int, int, int, bytes | None, bytes | None]) -> None:
    original = Original(*one)
    (found,), before = rekey.unwrap("internal", 1, [Fetched(7, 1, b"k", rekey.wrap(original))], EVENTS)
    assert found == Raw("events", *original, EVENTS, Lying("internal", 1, 7))
    assert before == -1


def test_what_cannot_be_carried_whole_stays_too_large() -> None:
    huge = Original(0, 0, 1, b"k" * 100_000, b"x" * (rekey.LARGEST_VALUE + 1))
    (found,), _ = rekey.unwrap("internal", 1, [Fetched(0, 1, None, rekey.wrap(huge))], EVENTS)
    assert (len(found.value or b""), len(found.key or b"")) == (rekey.LARGEST_VALUE, 50_000)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff\xff", rekey.passed(1)[:-1]])
def test_what_a_stranger_wrote_is_a_record_that_lies_where_it_lies(value: bytes | None) -> None:
    (found,), before = rekey.unwrap("internal", 1, [Fetched(3, 9, b"k", value)], EVENTS)
    assert found == Raw("events", 1, 3, 9, b"k", value, EVENTS, Lying("internal", 1, 3))
    assert before == -1


def test_a_device_that_belongs_elsewhere_by_now_goes_on_there_and_changes_nothing_here() -> None:
    number = partition_of(b"game|d1", PARTITIONS)
    wrong = (number + 1) % PARTITIONS
    stage = run.Partition(run.device_stage(CONFIGURATION), wrong, PARTITIONS, run.Memory(), Holds(), now=1)
    records = [raw(Original(2, offset, T0 + offset, b"k", payment(1, n=offset)), EVENTS, wrong) for offset in range(2)]
    (output,) = stage.process(records, None)
    assert output.puts == {}
    assert output.counts == {("records_total", "events", "moved"): 2}
    assert [(one.topic, one.key, one.partition) for one in output.outgoing] == [("internal", b"game|d1", number)] * 2
    carried = [Fetched(offset, 0, one.key, one.value) for offset, one in enumerate(output.outgoing)]
    again, _ = rekey.unwrap("internal", number, carried, EVENTS)
    assert [one._replace(lies=None) for one in again] == [one._replace(lies=None) for one in records]


def test_a_rekeyer_begins_behind_its_marker_and_at_the_beginning_of_a_partition_that_was_added() -> None:
    starts, ends = {0: 5, 1: 0, 2: 3}, {0: 9, 1: 9, 2: 9}
    assert rekey.begin(EVENTS, {}, starts, ends) == (starts, {})
    latest = Source(topic="events", record="event", rekey=True, start="latest")
    assert rekey.begin(latest, {}, starts, ends) == (ends, {})
    assert rekey.begin(latest, {0: 2, 1: 7}, starts, ends) == ({0: 5, 1: 7, 2: 3}, {0: 3})
    with pytest.raises(Stop, match="events partition 1 ends at offset 9, but 10 has been rekeyed already"):
        rekey.begin(EVENTS, {0: 5, 1: 10}, starts, ends)


def test_how_far_it_has_come_is_told_while_others_may_wait_and_else_once_a_second() -> None:
    pace = Pace()
    pace.saw({("other", 0): 1}, 10.0)
    assert pace.worth(100, 10.0)
    pace.told(100, 10.0)
    assert not pace.worth(100, 10.1)
    assert pace.worth(101, 10.1)
    assert pace.pause(10.1) < pace.pause(11.0)
    pace.saw({("other", 0): 1}, 10.9)
    assert not pace.worth(101, 10.9)
    assert pace.worth(101, 11.0)
    pace.saw({("other", 0): 2}, 10.9)
    assert pace.worth(101, 10.9)


def test_a_partition_that_has_run_ahead_is_not_fetched_from_until_half_of_it_is_gone() -> None:
    passage = Passage({0: 0, 1: 0})
    limit = rekey.BUFFERED_RECORDS // 2
    passage.feed(0, [Original(0, offset, T0 + offset, None, None) for offset in range(limit)], limit)
    assert passage.full() == {0}
    passage.feed(1, [Original(1, 0, T0 + limit // 4, None, None)], 1)
    passage.stood_at({1: 1}, T0 + limit // 4)
    assert len(passage.take(limit)) == limit // 4 + 2
    assert passage.full() == {0}
    passage.stood_at({1: 1}, T0 + 2 * limit)
    passage.take(limit // 2)
    assert passage.full() == frozenset()


def test_a_record_that_is_fetched_again_is_taken_once() -> None:
    passage = Passage({0: 0})
    some = [Original(0, offset, T0, None, None) for offset in range(3)]
    passage.feed(0, some[:2], 2)
    passage.feed(0, some, 3)
    assert passage.take(10) == some
    assert passage.positions() == {0: 3}


def test_a_topic_that_has_lost_a_partition_is_not_read_as_if_it_were_the_old_one():
    source = Source(topic="raw", record="event", rekey=True)
    with pytest.raises(Stop, match="no partition 1 any more"):
        rekey.begin(source, {0: 5, 1: 7}, {0: 0}, {0: 9})
