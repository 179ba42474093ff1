"""Kafka takes back what it had said was committed, or never ends it: the worker finds out, and does it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.clock import SystemClock
from streams.engine import fate
from streams.engine.changelog import BARRIER_KEY
from streams.engine.faults import FaultPoints
from streams.engine.hanging import Settled, stuck
from streams.engine.producer import BarrierProducer, Fenced, Place, TransactionalProducer
from streams.engine.recovery import MARKER_KEY, Marker, Recovered, Recovery
from streams.engine.stages import Stage, Unit, changelog_topic
from streams.engine.standby import StageStandby, folder
from streams.engine.store import Applied, Store, StoreMemory
from streams.metrics import Metrics
from streams.settings import Settings
from tests.support import hanging, owning
from tests.support.engine_bench import EngineBench
from tests.support.processes import Start
from tests.support.topics import create_topics, read_topic
from tests.support.waiting import eventually

UNIT = Unit("device", 0)
AHEAD = Marker({"events": 7})
WITHIN = 20.0


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker in which transactions can be left hanging."""
    with hanging.gullible(tmp_path_factory.mktemp("gullible")) as broker:
        yield broker.bootstrap


@pytest.fixture
def bootstrap(hung: str) -> str:
    return hung


# -- with workers


def test_a_worker_ends_what_hangs_and_builds_anew_what_was_ahead(settings: Settings, start: Start) -> None:
    """As it was seen: the state on disk has a batch that hangs in Kafka, in several partitions."""
    bench = EngineBench(settings, start, partitions=2)
    bench.send(bench.events, 300)
    bench.send(bench.installs, 100)
    first = bench.worker()
    bench.wait_for_all(WITHIN)
    assert first.end(20) == 0
    bench.send(bench.events, 200)

    store = Store(folder(settings, UNIT), StoreMemory())
    store.open()
    marker = Marker.decode(store.read([MARKER_KEY])[0])
    key = next(iter(store.rows(b"dk")))[0]
    further = Marker({**marker.positions, bench.events: marker.positions[bench.events] + 50})
    rows = {key: b"1000", MARKER_KEY: further.encode()}
    places: dict[tuple[str, int], hanging.Rows] = {
        (bench.delivery, 0): [(key, b"{}")],
        (bench.users, 1): [(b"user1", b"{}")],
        (changelog_topic(settings), 0): rows.items(),
    }
    last = hanging.hang(bench.bootstrap, owning.claimants(settings, UNIT)[-1], places)
    store.write(rows, Applied(last + 1, SystemClock().now()))
    store.close()

    second = bench.worker()
    bench.wait_for_all(WITHIN)
    bench.check()
    assert "has noted a transaction" in second.output()
    assert "built anew from the changelog" in second.output()
    assert second.end(20) == 0


# -- with recoveries


class Log:
    """A changelog of one partition, and a store that has been filled from it."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.topic = settings, changelog_topic(settings)
        self.id = f"{settings.worker_id}-before"
        self.store = Store(folder(settings, UNIT), StoreMemory())
        self.stage = Stage("device", (), 1, self.topic, cast(Any, None))
        create_topics(settings.bootstrap_servers, {self.topic: 1}, {"message.timestamp.type": "LogAppendTime"})
        owning.ensure_owners(settings)

    def producer(self) -> TransactionalProducer:
        return TransactionalProducer(self.settings, self.id)

    def write(self, key: bytes, value: bytes) -> Place:
        """One row, committed, with its marker, by who had the partition before."""
        producer = owning.owning(self.settings, UNIT, self.id)
        last = (self.topic, MARKER_KEY, Marker({"events": 1}).encode(), None)
        return producer.write([(self.topic, key, value, None)], last, lambda step: None)

    def recover(self) -> Recovered:
        recovery = Recovery(
            self.settings,
            UNIT,
            self.stage,
            self.store,
            owning.ownership(self.settings, UNIT),
            BarrierProducer(self.settings),
            fate.never,
            FaultPoints(),
        )
        self.store.open()
        recovery.fence()
        return recovery.read()

    def ahead(self) -> None:
        """Let the store have a batch that was rolled back."""
        rows = {b"da": b"2", b"db": b"1", MARKER_KEY: AHEAD.encode()}
        owning.ownership(self.settings, UNIT, self.id).take(fate.never)
        last = hanging.roll_back(self.settings.bootstrap_servers, self.id, self.topic, 0, rows.items())
        self.store.write(rows, Applied(last + 1, SystemClock().now()))
        self.store.close()


@pytest.fixture
def log(settings: Settings) -> Iterator[Log]:
    made = Log(settings)
    yield made
    made.store.close()


def test_a_state_that_is_ahead_is_built_anew(log: Log) -> None:
    log.write(b"da", b"1")
    log.recover()
    log.ahead()
    found = log.recover()
    assert found.marker == Marker({"events": 1})
    assert log.store.read([b"da", b"db"]) == [b"1", None]
    assert found.records == 4, "all of it: a row, its marker, two barriers"
    log.store.close()
    assert log.recover().records == 1, "the next time it is found to be right, and only the barrier is read"


@pytest.mark.parametrize("place", ["a record that is there", "none"])
def test_a_state_that_is_not_ahead_is_kept(log: Log, place: str) -> None:
    written = log.write(b"da", b"1")
    log.store.open()
    # Where the end of the transaction lies no reader finds a record, as where one was compacted away.
    log.store.write({b"da": b"kept"}, Applied(written.offset + 1 + (place == "none"), written.appended))
    log.store.close()
    assert log.recover().records == 1
    assert log.store.read([b"da"]) == [b"kept"]


def test_an_empty_changelog_and_an_empty_store(log: Log) -> None:
    assert log.recover().records == 1
    log.store.close()
    assert log.recover().records == 1


def test_a_copy_that_is_ahead_is_begun_anew(log: Log, settings: Settings) -> None:
    log.write(b"da", b"1")
    log.recover()
    log.ahead()
    standby = StageStandby(settings, log.stage, StoreMemory(), SystemClock(), Metrics())
    standby.follow([0])
    BarrierProducer(settings).write(log.topic, 0, BARRIER_KEY, b"another", fate.never)
    eventually(lambda: 0 in standby._copies and standby._copies[0].next == 9, within=WITHIN, what="all is read")
    standby.stop()
    log.store.open()
    assert log.store.read([b"da", b"db"]) == [b"1", None]


# -- within the life of a producer


def test_what_hangs_in_the_changelog_is_rolled_back_everywhere(log: Log, settings: Settings) -> None:
    bootstrap, other = settings.bootstrap_servers, f"{settings.topic_prefix}other"
    create_topics(bootstrap, {other: 2})
    log.write(b"da", b"1")
    hanging.hang(bootstrap, log.id, {(other, 1): [(b"k", b"hangs")], (log.topic, 0): [(b"da", b"hangs")]})
    producer = log.producer()
    producer.start(fate.never)
    reach = [(log.topic, 0), (other, 0), (other, 1), (f"{settings.topic_prefix}missing", 0)]
    settled = producer.end_what_hangs(reach)
    assert settled == Settled(frozenset({(log.topic, 0), (other, 1)}))
    assert not stuck(settings, reach)
    assert read_topic(bootstrap, other) == []
    assert [record.value for record in read_topic(bootstrap, log.topic) if record.key == b"da"] == [b"1"]


def test_a_record_that_hangs_has_no_end_yet_and_one_that_was_rolled_back_is_not_there(
    log: Log, settings: Settings
) -> None:
    bootstrap = settings.bootstrap_servers
    there = log.write(b"da", b"1").offset
    undone = hanging.roll_back(bootstrap, log.id, log.topic, 0, [(b"da", b"2")])
    hangs = hanging.hang(bootstrap, log.id, {(log.topic, 0): [(b"da", b"3"), (b"db", b"3")]})
    found = {}
    for at in (there, there + 1, undone, hangs):
        found.update(fate.of(settings, [fate.Lying(log.topic, 0, at)]))
    assert list(found.values()) == ["there", "gone", "undone", "open"]


@pytest.mark.parametrize("rolled_back", [False, True])
def test_after_an_abort_the_last_commit_must_be_there_still(
    log: Log, monkeypatch: pytest.MonkeyPatch, rolled_back: bool
) -> None:
    undone = hanging.roll_back(log.settings.bootstrap_servers, "another", log.topic, 0, [(b"da", b"2")])
    producer = log.producer()
    producer.start(fate.never)
    last = (log.topic, MARKER_KEY, b"{}", None)
    first = producer.write([], last, lambda step: None)
    if rolled_back:
        producer._committed[log.topic, 0] = Place(undone, 0, 0.0)
    commits = [producer._commit]

    def fail() -> None:
        monkeypatch.setattr(producer, "_commit", commits.pop())
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "not in time", False, False, True))

    monkeypatch.setattr(producer, "_commit", fail)
    if rolled_back:
        with pytest.raises(Fenced, match="undone"):
            producer.write([], last, lambda step: None)
    else:
        assert producer.write([], last, lambda step: None).offset > first.offset
    assert not commits, "it was aborted"
