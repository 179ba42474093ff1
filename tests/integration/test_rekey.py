"""A source without keys, of another partition count: rekeyed, with the same decisions as the same records written where
they belong, each once, whoever dies.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.config import Source
from streams import kafka, topics
from streams.clock import SystemClock
from streams.config.load import load_directory
from streams.engine import rekey
from streams.engine.faults import VARIABLE, FaultPoints
from streams.engine.producer import BarrierProducer, untold
from streams.engine.raw import Raw
from streams.engine.rekey import Original, Router, unwrap, wrap
from streams.engine.rekeyer import Means, Rekeyer, Way
from streams.engine.rekeying import delete_applied
from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.replay import run
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.engine_bench import again_and_again, owns, pause, probe, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.topics import Sent, create_topics, produce, read_topic
from tests.support.waiting import eventually

__all__ = ["ringback"]

PARTITIONS = 4
ORIGINALS = 3
GRACE = 2_000
KILLED = 137

FILES = """
sources:
- {topic: "%(prefix)sinstalls", record: install%(installs)s}
- {topic: "%(prefix)sevents", record: event%(events)s}
apps: [{id: game, project: p, platform: android, install_grace: 2s}]
partners: [{id: acme}]
postbacks:
- {id: install, app: game, partner: acme, event: install, delivery_method: all, url: "https://acme.example/i?{click_id}"}
- {id: paid, app: game, partner: acme, event: payment, delivery_method: all, url: "https://acme.example/p?by={publisher_name}"}
- {id: first, app: game, partner: acme, event: first_payment, url: "https://acme.example/f?{event_id}"}
"""


class Shop:
    """Its inputs, its workers, and what must come of the one by way of the others."""

    def __init__(self, settings: Settings, start: Start, ringback: Run, folder: Path) -> None:
        self.settings, self._start, self._folder = settings, start, folder
        self._ringback = ringback
        prefix = settings.topic_prefix
        self.bootstrap = settings.bootstrap_servers
        self.installs, self.events = f"{prefix}installs", f"{prefix}events"
        self.sent = 0

    def open(self, installs: str = "", events: str = ", rekey: true") -> None:
        """Make the topics, the rekeyed ones of another number."""
        prefix = self.settings.topic_prefix
        self._folder.mkdir()
        (self._folder / "shop.yaml").write_text(FILES % {"prefix": prefix, "installs": installs, "events": events})
        assert self._ringback("apply", str(self._folder))[0] == 0
        self.configuration = load_directory(self._folder)
        counts = {source.topic: ORIGINALS if source.rekey else PARTITIONS for source in self.configuration.sources}
        create_topics(self.bootstrap, counts, {"message.timestamp.type": "LogAppendTime"})
        status, _, err = self._ringback("topics", "create")
        assert status == 0, err

    def worker(self, settings: Settings | None = None, **more: str) -> GuardedProcess:
        return self._start("worker", with_settings=settings, **more)

    def install(self, device: int, **fields: Any) -> Sent:
        return self._record(device, {"id": f"i{device}", "click_id": f"c{device}", "publisher_name": "acme", **fields})

    def pay(self, device: int, number: int) -> Sent:
        return self._record(device, {"id": f"p{device}-{number}", "event_name": "payment", "revenue": 1.5})

    @staticmethod
    def _record(device: int, fields: dict[str, Any]) -> Sent:
        return Sent(json.dumps({"app_id": "game", "os_id": f"d{device}", **fields}).encode(), b"game|d%d" % device)

    def send(self, topic: str, records: list[Sent]) -> None:
        """As its producer does: keyed, or with no key at all and anywhere."""
        rekeyed = {source.topic: source.rekey for source in self.configuration.sources}[topic]
        if rekeyed:
            records = [one._replace(key=None, partition=random.randrange(ORIGINALS)) for one in records]
        produce(self.bootstrap, topic, records)
        self.sent += len(records)

    def jobs(self) -> Counter[tuple[str, str]]:
        """By id and request, how often each job stands in the delivery topic."""
        found = read_topic(self.bootstrap, kafka.Topics(self.settings.topic_prefix).delivery)
        return Counter(_told(one.value or b"") for one in found)

    def expected(self) -> Counter[tuple[str, str]]:
        """What the rules make of the input topics as they lie, each rekeyed record in its place."""
        raws: dict[int, list[Raw]] = {number: [] for number in range(PARTITIONS)}
        for source in self.configuration.sources:
            router = Router(source, self.configuration.apps, 1_000_000, PARTITIONS, kafka.partition_of)
            lying = read_topic(self.bootstrap, source.topic)
            lying.sort(key=lambda one: (one.timestamp, one.partition, one.offset) if source.rekey else (one.offset,))
            for order, one in enumerate(lying):
                number = router.route(one.partition, one.offset, one.value)[1] if source.rekey else one.partition
                raws[number].append(Raw(source.topic, number, order, one.timestamp, one.key, one.value, source))
        setup = run.Setup(self.configuration, PARTITIONS)
        outputs = run.replay(setup, raws)
        return Counter(_told(value) for _, output in outputs for value in run.jobs(output))

    def settle(self, within: float = 60.0) -> None:
        """Until the jobs are those that the rules make of the inputs; a moment later they still are."""
        wanted = self.expected()
        assert wanted
        eventually(
            lambda: self.jobs().total() >= wanted.total(), within=within, every=0.3, what=f"{wanted.total()} jobs"
        )
        assert self.jobs() == wanted


def _told(value: bytes) -> tuple[str, str]:
    job = json.loads(value)
    return job["job_id"], json.dumps(job["request"], sort_keys=True)


@pytest.fixture
def shop(settings: Settings, start: Start, ringback: Run, tmp_path: Path) -> Shop:
    return Shop(settings, start, ringback, tmp_path / "shop")


def test_records_without_keys_are_decided_as_those_that_lie_right(shop: Shop):
    shop.open()
    worker = shop.worker()
    for device in range(0, 24, 3):
        shop.send(shop.events, [shop.pay(device, 1), shop.pay(device + 1, 1)])
        shop.send(shop.installs, [shop.install(device), shop.install(device + 2)])
        shop.send(shop.events, [shop.pay(device, 2), shop.pay(device + 2, 1)])
    shop.settle()
    assert worker.end(20) == 0


@contextmanager
def traffic(shop: Shop) -> Iterator[None]:
    """Installs and payments are written meanwhile, mostly of new devices."""
    devices = count(1_000, 60)

    def write() -> None:
        device = next(devices)
        shop.send(shop.events, [shop.pay(device + n, number) for n in range(0, 60, 2) for number in range(3)])
        shop.send(shop.installs, [shop.install(device + n) for n in range(60)])
        shop.send(shop.events, [shop.pay(device + n, 1) for n in range(1, 60, 2)])

    with again_and_again(write):
        yield


def test_killed_under_load_every_job_is_decided_once(shop: Shop):
    chance = random.Random(3)
    shop.open(installs=", rekey: true")
    with traffic(shop):
        for step in ("produced:4", "committed:3", ""):
            worker = shop.worker(**({VARIABLE: f"rekey/{step}"} if step else {}))
            if step:
                assert worker.wait(60) == KILLED, worker.output()
            else:
                wait_ready(worker)
                pause(chance.uniform(0.5, 2.0))
                worker.kill()
    worker = shop.worker()
    shop.settle(120)
    lying = _original_places(shop)
    assert max(lying.values()) == 1, "a record was rekeyed twice"
    assert lying.total() == shop.sent
    eventually(lambda: _lag(worker) == 0, what="nothing waits")
    assert worker.end(20) == 0


def test_a_backlog_is_attributed_as_a_live_stream(shop: Shop):
    shop.open(installs=", rekey: true", events="")
    # The payments come first, and the grace is over before the worker begins: only append times tell.
    shop.send(shop.events, [shop.pay(device, 1) for device in range(50)])
    shop.send(shop.installs, [shop.install(device) for device in range(0, 50, 2)])
    pause(GRACE / 1000 + 0.5)
    shop.send(shop.installs, [shop.install(device) for device in range(1, 50, 2)])
    shop.send(shop.events, [shop.pay(device, 2) for device in range(50)])
    pause(GRACE / 1000 + 0.5)
    worker = shop.worker()
    shop.settle()
    paid = [told for _, told in shop.jobs() if "/p?" in told]
    # Whose install came after the grace was over had an attribution by then, which the install has claimed.
    assert Counter("by=acme" in told for told in paid) == {True: 75, False: 25}
    assert worker.end(20) == 0


def test_the_rekeyer_moves_when_its_process_dies(shop: Shop, make_settings: MakeSettings, tmp_path: Path):
    shop.open()
    with traffic(shop):
        workers = [shop.worker(make_settings(state_dir=tmp_path / name)) for name in ("a", "b")]
        for worker in workers:
            eventually(partial(owns, worker, 2), within=60, what="each has its half")
        eventually(lambda: sum(map(_rekeys, workers)) == 1, what="one of them rekeys")
        first, second = sorted(workers, key=_rekeys, reverse=True)
        first.kill()
        eventually(lambda: owns(second, 4) and _rekeys(second), within=60, what="the other one rekeys")
    shop.settle(120)
    assert second.end(20) == 0


def test_a_bad_record_of_a_rekeyed_source_is_told_with_its_own_place(shop: Shop):
    shop.open()
    worker = shop.worker()
    shop.send(shop.installs, [shop.install(1)])
    produce(shop.bootstrap, shop.events, [Sent(b"{", b"k", partition=2), Sent(None, None, partition=1)])
    dead = kafka.Topics(shop.settings.topic_prefix).dead_letters
    eventually(lambda: len(read_topic(shop.bootstrap, dead)) == 2, within=30, what="both are dead letters")
    letters = sorted(
        (json.loads(one.value or b"") for one in read_topic(shop.bootstrap, dead)), key=lambda one: one["partition"]
    )
    assert [(one["topic"], one["partition"], one["offset"], one["reason"]) for one in letters] == [
        (shop.events, 1, 0, "null"),
        (shop.events, 2, 0, "undecodable"),
    ]
    assert letters[1]["key"] == "aw=="
    _, metrics = probe(worker, "/metrics")
    assert f'ringback_lag_records{{partition="2",topic="{shop.events}"}} 0.0' in metrics
    assert f'ringback_records_rekeyed_total{{source="{shop.events}"}} 2.0' in metrics
    assert worker.end(20) == 0


def test_an_app_that_is_added_finds_the_records_that_were_rekeyed_without_it(shop: Shop):
    """A record that was placed before its device was known is moved, whatever has been told of its partition since."""
    shop.open()
    internal = topics.rekeyed_topic(shop.settings.worker_id, shop.events)
    bad_place = {"id": "x", "app_id": "game", "os_id": "d1", "event_name": "payment"}
    right = kafka.partition_of(b"game|d1", PARTITIONS)

    wrapped = wrap(Original(0, 0, 1_767_323_045_000, None, json.dumps(bad_place).encode()))
    produce(shop.bootstrap, internal, [Sent(wrapped, None, partition=(right + 1) % PARTITIONS)])
    worker = shop.worker()
    eventually(lambda: shop.jobs().total() == 1, within=40, what="it is decided")
    assert worker.end(20) == 0


def test_what_has_been_applied_is_deleted_from_an_internal_topic(settings: Settings, bootstrap: str, prefix: str):
    topic = f"{prefix}rekey"
    create_topics(bootstrap, {topic: 2}, topics.REKEYED_CONFIG)
    produce(bootstrap, topic, [Sent(b"x", partition=number) for number in (0, 0, 0, 1)])
    delete_applied(settings, {(topic, 0): 2})
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "reads-only"})
    try:
        ends = [reader.get_watermark_offsets(TopicPartition(topic, number), 10) for number in (0, 1)]
    finally:
        reader.close()
    assert ends == [(2, 3), (0, 1)]


def test_partitions_that_run_ahead_are_held_back_and_go_on(
    settings: Settings, bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rekey, "BUFFERED_RECORDS", 600)
    monkeypatch.setattr(rekey, "LEAST_RECORDS", 200)
    monkeypatch.setattr("streams.engine.rekeyer.FETCH", 50)
    original, internal, changelog = _rekeyed(bootstrap, prefix)
    # One after the other: those that are read first run ahead as far as they may.
    for number in (2, 0, 1):
        produce(bootstrap, original, [Sent(b"{}", partition=number)] * 2_000)
    source = Source(topic=original, record="event", rekey=True)
    with _rekeying(settings, Way(source, internal, changelog, 1, ())) as done:
        eventually(lambda: sum(done) == 6_000, within=40, what="all are rekeyed")
    raws, before = unwrap(internal, 0, read_topic(bootstrap, internal), source)
    places = [(one.appended, one.partition, one.offset) for one in raws]
    assert places == sorted(places)
    assert len(set(places)) == 6_000
    assert before >= places[-1][0]


def test_a_rekeyed_source_goes_on_when_its_broker_was_started_anew(make_settings: MakeSettings, tmp_path: Path):
    """Its partitions have another leader epoch then, which a client that is kept has to hear of."""
    with EmbeddedBroker(tmp_path / "kafka") as own:
        original, internal, changelog = _rekeyed(own.bootstrap, "t.")
        source = Source(topic=original, record="event", rekey=True)
        way = Way(source, internal, changelog, 1, ())
        with _rekeying(make_settings(bootstrap_servers=own.bootstrap), way) as done:
            produce(own.bootstrap, original, [Sent(b"{}", partition=0)] * 10)
            eventually(lambda: sum(done) == 10, within=40, what="all are rekeyed")
            own.shut_down()
            own.start()
            produce(own.bootstrap, original, [Sent(b"{}", partition=0)] * 10)
            eventually(lambda: sum(done) == 20, within=40, what="all are rekeyed")


def _rekeyed(bootstrap: str, prefix: str) -> tuple[str, str, str]:
    """A source of three partitions, its internal topic and the changelog."""
    original, internal, changelog = f"{prefix}in", f"{prefix}rekey", f"{prefix}changelog"
    create_topics(bootstrap, {original: 3, changelog: 1}, {"message.timestamp.type": "LogAppendTime"})
    create_topics(bootstrap, {internal: 1}, topics.REKEYED_CONFIG)
    return original, internal, changelog


@contextmanager
def _rekeying(settings: Settings, way: Way) -> Iterator[list[int]]:
    """How many records the rekeyer has written, portion by portion."""
    done = list[int]()
    means = Means(settings, SystemClock(), BarrierProducer(settings), FaultPoints(), untold, done.append)
    rekeyer = Rekeyer(way, means, ())
    thread = threading.Thread(target=rekeyer.run, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        rekeyer.stop()
        thread.join(20)


def _original_places(shop: Shop) -> Counter[tuple[str, int, int]]:
    """Which records the internal topics hold, how often."""

    found: Counter[tuple[str, int, int]] = Counter()
    for source in shop.configuration.sources:
        if source.rekey:
            internal = topics.rekeyed_topic(shop.settings.worker_id, source.topic)
            raws, _ = unwrap(internal, 0, read_topic(shop.bootstrap, internal), source)
            found.update((one.topic, one.partition, one.offset) for one in raws)
    return found


def _rekeys(worker: GuardedProcess) -> bool:
    return "the rekeyer of" in worker.output() and ": ready; from" in worker.output().split("the rekeyer of")[-1]


def _lag(worker: GuardedProcess) -> float:
    _, metrics = probe(worker, "/metrics")
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("ringback_lag_records{"))
