"""What a broker has not ended is ended as its transaction was: a commit that the sender was told of is never aborted by
the session that follows (D5).
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from streams import direct, kafka
from streams.delivery import coordinator, jobs, outcomes
from streams.delivery.offsets import Position, Tracker
from streams.delivery.outcomes import Aborted, Fatal, Transactions
from streams.delivery.settling import Record
from streams.delivery.unended import POSITIONS, Unended
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.hanging import coordinated, gullible, hang_behind, position, unread
from tests.support.sending import Bench, configuration, ended, job_for, partner_named, sending
from tests.support.topics import create_topics, read_topic
from tests.support.waiting import eventually

#: What no topic takes, however it is compressed.
LARGE = random.Random(1).randbytes(kafka.LARGEST_BATCH + 1)


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker in which transactions can be left hanging."""
    with gullible(tmp_path_factory.mktemp("gullible")) as broker:
        yield broker.bootstrap


class Scene:
    """A sender's topics and what it writes with one producer after the other, under one id."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        topics = kafka.Topics(settings.topic_prefix)
        self.id = f"{settings.sender_group}-one"
        self.receipts, self.retry, self.letters = (topics.receipts, 0), (topics.retry(8_000), 0), (topics.report, 0)
        self.delivery = (topics.delivery, 0)
        places = (self.receipts, self.retry, self.letters, self.delivery)
        create_topics(settings.bootstrap_servers, {topic: 1 for topic, _ in places})
        options = {"bootstrap.servers": settings.bootstrap_servers, "log_level": 0}
        self.admin = AdminClient(options)
        self.member = Consumer(options | {"group.id": settings.sender_group})
        eventually(lambda: coordinated(self.member, topics.delivery), within=30, what="the group has a coordinator")
        self.unended = Unended()
        self.producers: list[Transactions] = []

    def producer(self) -> Transactions:
        """A new one, not started."""
        for before in self.producers:
            before.discard()
        made = Transactions(self.settings, self.id, lambda _: self.member.consumer_group_metadata(), self.unended)
        self.producers.append(made)
        return made

    def begin(self) -> Transactions:
        """A new one, which ends what the one before has left."""
        made = self.producer()
        made.start()
        return made

    def write(self, *places: tuple[str, int], value: bytes = b"seen") -> list[tuple[int, Record]]:
        return [(number, Record(topic, b"k", value)) for topic, number in places]

    def positions(self, offset: int) -> list[tuple[Tracker, Position]]:
        return [(Tracker(*self.delivery, 1, 0), Position(offset, ""))]

    def seen(self, place: tuple[str, int]) -> list[bytes | None]:
        """What readers of committed records see of a partition, from which nothing is hidden."""
        eventually(lambda: unread(self.admin, place) == 0, what=f"nothing hangs in {place[0]}")
        return [one.value for one in read_topic(self.settings.bootstrap_servers, place[0])]

    def position(self) -> int | None:
        """How far the group has come, which nothing hides."""
        place, group = self.delivery, self.settings.sender_group
        eventually(lambda: position(self.admin, group, place) is not None, what="the position can be read")
        return position(self.admin, group, place)

    def hang(self, *records: tuple[tuple[str, int], int], offset: int | None = None) -> None:
        """Leave a record in each of these, to which so many have been written by the same producer, without an end."""
        rows = {place: (before, b"hung") for place, before in records}
        hang_behind(self.settings, self.id, rows, {} if offset is None else {self.delivery: offset})
        assert all(unread(self.admin, place) for place, _ in records)
        assert offset is None or position(self.admin, self.settings.sender_group, self.delivery) is None

    def close(self) -> None:
        for producer in self.producers:
            producer.discard()
        self.member.close()


@pytest.fixture
def scene(settings: Settings) -> Iterator[Scene]:
    made = Scene(settings)
    yield made
    made.close()


def test_what_hangs_of_an_acknowledged_commit_is_committed_by_the_next_session(scene: Scene) -> None:
    """A retry record, and the position of the job that it is of."""
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)
    scene.begin()
    assert scene.seen(scene.retry) == [b"seen", b"hung"]
    assert scene.position() == 7


def test_it_is_committed_where_a_transaction_that_never_got_there_was_to_write(scene: Scene) -> None:
    """The producer dies within a transaction that the coordinator knows in part."""
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)
    first._producer.begin_transaction()
    scene.unended.began([scene.receipts, scene.retry])
    first._producer.produce(scene.receipts[0], b"lost", b"k", 0)
    assert first._producer.flush(10) == 0
    scene.begin()
    assert scene.seen(scene.receipts) == [b"seen"]
    assert scene.seen(scene.retry) == [b"seen", b"hung"]
    assert scene.position() == 7


def test_what_hangs_of_an_aborted_transaction_is_aborted_by_the_next_session(scene: Scene) -> None:
    first = scene.begin()
    first(scene.write(scene.retry), scene.positions(5))
    with pytest.raises(Aborted):
        first([*scene.write(scene.receipts), *scene.write(scene.letters, value=LARGE)], [])
    scene.hang((scene.letters, 0))
    scene.begin()
    assert scene.seen(scene.letters) == scene.seen(scene.receipts) == []
    assert scene.seen(scene.retry) == [b"seen"]
    assert scene.position() == 5


class Deaf(Producer):
    """A producer that does not hear what became of its commit, which it may have asked for."""

    asks = True

    def commit_transaction(self, *arguments: Any) -> None:
        if Deaf.asks:
            super().commit_transaction(*arguments)
        else:
            self.flush(10)
        raise KafkaException(KafkaError(KafkaError._FATAL, "cut off", fatal=True))


@pytest.mark.parametrize("asks", [True, False])
def test_of_a_commit_that_was_not_acknowledged_the_coordinator_tells_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(outcomes, "Producer", Deaf)
        cut.setattr(Deaf, "asks", asks)
        first = scene.begin()
        with pytest.raises(Fatal):
            first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    if asks:
        scene.hang((scene.retry, 1), offset=7)
    scene.begin()
    assert scene.seen(scene.receipts) == ([b"seen"] if asks else [])
    assert scene.seen(scene.retry) == ([b"seen", b"hung"] if asks else [])
    assert (scene.position() == 7) == asks


def test_a_commit_that_arrives_while_the_coordinator_is_asked_is_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the commit and the abort the coordinator takes the one that comes first."""
    first = scene.begin()
    first._producer.begin_transaction()
    scene.unended.began([scene.receipts])
    scene.unended.asked()
    first._producer.produce(scene.receipts[0], b"seen", b"k", 0)
    assert first._producer.flush(10) == 0
    look = coordinator._Asking.state
    seen: list[str] = []

    async def late(asking: coordinator._Asking) -> coordinator._State | None:
        state = await look(asking)
        if not seen:
            first._producer.commit_transaction(10)
        seen.append(state.name if state else "")
        return state

    with monkeypatch.context() as looking:
        looking.setattr(coordinator._Asking, "state", late)
        assert coordinator.newest(scene.settings, scene.id, "aborted").end == "committed"
    assert seen[0] == "Ongoing"
    scene.begin()
    assert scene.seen(scene.receipts) == [b"seen"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_process_ends_what_one_of_its_name_has_left_as_the_newest_transaction_of_that(
    scene: Scene, committed: bool
) -> None:
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    if not committed:
        with pytest.raises(Aborted):
            first(scene.write(scene.letters, value=LARGE), [])
    scene.hang((scene.retry, 1), offset=7)
    scene.unended = Unended()
    scene.unended.inherited([scene.receipts, scene.retry, scene.letters, POSITIONS])
    scene.begin()
    assert scene.seen(scene.retry) == ([b"seen", b"hung"] if committed else [b"seen"])
    assert scene.position() == (7 if committed else 5)


def test_between_transactions_it_is_committed_before_another_one_is_aborted(scene: Scene) -> None:
    only = scene.begin()
    only(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)
    for _ in range(2):
        # The first one writes elsewhere, and has the second look.
        with pytest.raises(Aborted):
            only(scene.write(scene.letters, value=LARGE), [])
    assert scene.seen(scene.retry) == [b"seen", b"hung"]
    assert scene.position() == 7
    with pytest.raises(Aborted):
        only([*scene.write(scene.receipts), *scene.write(scene.letters, value=LARGE)], scene.positions(9))
    only(scene.write(scene.receipts), scene.positions(8))
    assert scene.seen(scene.receipts) == [b"seen", b"seen"]
    assert scene.position() == 8


def test_what_is_cut_off_while_it_is_being_committed_is_committed_by_the_next_session(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)

    async def cut(*_: Any) -> bool:
        raise RuntimeError("cut off")

    with monkeypatch.context() as cutting:
        cutting.setattr(coordinator._Asking, "end", cut)
        with pytest.raises(RuntimeError, match="cut off"):
            scene.begin()
    assert unread(scene.admin, scene.retry)
    scene.begin()
    assert scene.seen(scene.retry) == [b"seen", b"hung"]
    assert scene.position() == 7


def test_a_coordinator_that_is_away_is_waited_for_which_the_log_tells(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)
    monkeypatch.setattr(outcomes, "LATE_SECONDS", 0.03)
    away_for = {"newest": 3, "end_in": 3}
    asks = {name: getattr(coordinator, name) for name in away_for}

    def ask(name: str, *arguments: Any) -> Any:
        away_for[name] -= 1
        if away_for[name] >= 0:
            raise direct.Away("no coordinator")
        return asks[name](*arguments)

    for name in away_for:
        monkeypatch.setattr(coordinator, name, partial(ask, name))
    with capture_logs() as told:
        scene.begin()
    waits = [line for line in told if line["event"] == "waiting for the coordinator of the transactions"]
    assert {line["reason"] for line in waits} == {"no coordinator"}
    assert scene.seen(scene.retry) == [b"seen", b"hung"]


def test_nobody_who_is_told_to_stop_waits_for_a_coordinator(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.begin()(scene.write(scene.retry), [])
    asked = threading.Event()

    def away(*_: Any) -> None:
        asked.set()
        raise direct.Away("no coordinator")

    monkeypatch.setattr(coordinator, "newest", away)
    ended_by: list[BaseException] = []
    second = scene.producer()

    def start() -> None:
        try:
            second.start()
        except Fatal as error:
            ended_by.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    assert asked.wait(10)
    second.discard()
    starting.join(10)
    assert len(ended_by) == 1


def test_what_cannot_be_ended_is_told_and_left_for_the_next_commit(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)

    def refuse(*_: Any) -> None:
        raise direct.Refused("no right")

    with monkeypatch.context() as refusing, capture_logs() as told:
        refusing.setattr(coordinator, "end_in", refuse)
        second = scene.begin()
    assert [line["reason"] for line in told if line["log_level"] == "error" and "reason" in line] == ["no right"]
    assert any(scene.retry[0] in line.get("places", "") for line in told)
    assert unread(scene.admin, scene.retry)
    second(scene.write(scene.retry), scene.positions(8))
    assert scene.seen(scene.retry) == [b"seen", b"hung", b"seen"]
    assert scene.position() == 8


def test_a_topic_that_is_gone_keeps_no_other_from_its_end(scene: Scene) -> None:
    first = scene.begin()
    first(scene.write(scene.receipts, scene.retry), scene.positions(5))
    scene.hang((scene.retry, 1), offset=7)
    scene.unended.began([(f"{scene.settings.topic_prefix}gone", 0)])
    scene.unended.ended("committed")
    with capture_logs() as told:
        scene.begin()
    assert [line["places"] for line in told if "places" in line] == [f"{scene.settings.topic_prefix}gone partition 0"]
    assert scene.seen(scene.retry) == [b"seen", b"hung"]
    assert scene.position() == 7


async def test_a_job_whose_retry_record_hung_behind_its_committed_position_is_delivered(settings: Settings) -> None:
    """By a process that takes up the name of the one that died."""
    settings = settings.model_copy(update={"instance_id": "one", "partitions": 1})
    bench = Bench(settings)
    await asyncio.to_thread(bench.create)
    bench.configure(configuration([partner_named()]))
    delivery, retry = (bench.topics.delivery, 0), (bench.topics.retries()[0], 0)
    member = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.sender_group})
    await asyncio.to_thread(eventually, lambda: coordinated(member, delivery[0]), within=30)
    async with Partner() as partner:
        job = job_for(partner.url("/i"), 1)
        bench.decide([job])
        name = f"{settings.sender_group}-one"
        before = Transactions(settings, name, lambda _: member.consumer_group_metadata(), Unended())
        await asyncio.to_thread(before.start)
        position = [(Tracker(*delivery, 1, 0), Position(1, ""))]
        await asyncio.to_thread(before, [], position)
        await asyncio.to_thread(hang_behind, settings, name, {retry: (0, jobs.encode(job))})
        before.discard()
        member.close()
        async with sending(settings):
            await ended(bench, 1)
        assert partner.job_ids() == ["job-1"]
    assert bench.outcomes() == {"delivered": 1}
