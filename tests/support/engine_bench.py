"""What the tests of the engine share: its inputs, a running toy worker, and the ledger that must balance."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from streams import kafka
from streams.engine.stages import Input
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_toy import SOURCES
from tests.support.processes import Start
from tests.support.topics import Sent, create_topics, produce, read_topic
from tests.support.waiting import eventually

PARTITIONS = 4
TOY = "tests.support.engine_toy"


class EngineBench:
    """The inputs of one test, its workers, and what they wrote."""

    def __init__(self, settings: Settings, start: Start, partitions: int = PARTITIONS) -> None:
        self.settings, self._start = settings, start
        self.bootstrap = settings.bootstrap_servers
        topics = kafka.Topics(settings.topic_prefix)
        self.installs, self.events = f"{settings.topic_prefix}installs", f"{settings.topic_prefix}events"
        self.delivery, self.decisions, self.users = topics.delivery, topics.decisions, topics.users
        # Stamped by the broker: a record that its producer stamps is seen later than its time, and then the merge
        # cannot be held to the order of times.
        inputs = (self.installs, self.events)
        create_topics(self.bootstrap, dict.fromkeys(inputs, partitions), {"message.timestamp.type": "LogAppendTime"})
        ours = (self.users, self.delivery, topics.dead_letters, self.decisions, topics.report)
        for row in kafka.topic_table(settings.topic_prefix):
            if row.name in ours:
                create_topics(self.bootstrap, {row.name: row.partitions(partitions)}, row.config())
        self.sent: dict[str, int] = defaultdict(int)

    def worker(
        self, settings: Settings | None = None, sources: str = "", module: str = TOY, **more: str
    ) -> GuardedProcess:
        """Start a worker; it runs the toy pipeline."""
        sources = sources or f"{self.installs}:install,{self.events}:event"
        return self._start(module=module, with_settings=settings or self.settings, **{SOURCES: sources}, **more)

    def send(self, topic: str, count: int, value: bytes = b"x", keys: int = 50, **options: Any) -> None:
        """Write so many records, over so many keys."""
        produce(self.bootstrap, topic, [Sent(value, b"k%d" % (i % keys)) for i in range(count)], **options)
        self.sent[topic] += count

    def told(self) -> list[tuple[int, bytes, dict[str, Any]]]:
        """What the device stage has emitted: (partition, key, value), in order."""
        return self._read(self.delivery)

    def applied(self) -> Counter[Input]:
        """How many records of each input have been told."""
        return Counter((value["from"], partition) for partition, _, value in self.told())

    def acknowledged(self) -> Counter[Input]:
        """The offsets that the workers' group has committed."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.settings.worker_id})
        places = [TopicPartition(topic, one) for topic in (self.installs, self.events) for one in range(PARTITIONS)]
        try:
            found = consumer.committed(places, timeout=10)
        finally:
            consumer.close()
        return Counter({(one.topic, one.partition): max(0, one.offset) for one in found})

    def told_of_users(self) -> list[tuple[int, bytes, dict[str, Any]]]:
        """What the user stage has emitted: (partition, user, value), in order."""
        return self._read(self.decisions)

    def _read(self, topic: str) -> list[tuple[int, bytes, dict[str, Any]]]:
        found = read_topic(self.bootstrap, topic)
        return [(one.partition, one.key or b"", json.loads(one.value or b"{}")) for one in found]

    def wait_for_all(self, within: float = 60.0) -> None:
        """Until both stages have emitted as many records as were sent."""
        wanted = sum(self.sent.values())
        eventually(lambda: len(self.told()) >= wanted, within=within, every=0.3, what=f"{wanted} records emitted")
        told = self.told_of_users
        eventually(lambda: len(told()) >= wanted, within=within, every=0.3, what=f"{wanted} told of users")

    def check(self) -> None:
        """Every record sent was applied exactly once, in the order of its partition's append times, to the newest
        state.
        """
        told = self.told()
        origins = [(value["from"], partition, value["at"]) for partition, _, value in told]
        assert len(set(origins)) == len(origins), "a record was applied twice"
        by_topic: dict[str, int] = defaultdict(int)
        for topic, _, _ in origins:
            by_topic[topic] += 1
        assert by_topic == self.sent
        numbers: dict[bytes, list[int]] = defaultdict(list)
        times: dict[int, list[int]] = defaultdict(list)
        for partition, key, value in told:
            numbers[key].append(value["number"])
            times[partition].append(value["appended"])
        for key, found in numbers.items():
            assert found == list(range(1, len(found) + 1)), f"the state of {key!r} was not that of the record before"
        for partition, found in times.items():
            assert found == sorted(found), f"partition {partition} was not merged by append time"
        self._check_users(set(origins))

    def _check_users(self, origins: set[tuple[str, int, int]]) -> None:
        """The user stage was told of every record exactly once, in the order of each partition, in its user's place."""
        told = self.told_of_users()
        assert sorted((value["from"], value["partition"], value["at"]) for _, _, value in told) == sorted(origins)
        numbers: dict[bytes, list[int]] = defaultdict(list)
        offsets: dict[tuple[bytes, str, int], list[int]] = defaultdict(list)
        for partition, user, value in told:
            assert partition == kafka.partition_of(user, value["users"]), f"{user!r} lies in the wrong partition"
            numbers[user].append(value["number"])
            offsets[user, value["from"], value["partition"]].append(value["at"])
        for user, found in numbers.items():
            assert found == list(range(1, len(found) + 1)), f"the state of {user!r} was not that of the record before"
        for place, at in offsets.items():
            assert at == sorted(at), f"{place} was told of in another order"


def probe(process: GuardedProcess, path: str) -> tuple[int, str]:
    """Status and body of one of a worker's probes; its address is in its log."""
    line = next(line for line in process.output().splitlines() if "probes: http" in line)
    base = line.split("probes: ")[1].split("/readyz")[0]
    try:
        with urllib.request.urlopen(base + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_ready(process: GuardedProcess, within: float = 40.0) -> None:
    """Until `/readyz` says yes."""
    eventually(
        lambda: "probes: http" in process.output() and probe(process, "/readyz")[0] == 200, within=within, what="ready"
    )


@contextmanager
def again_and_again(write: Callable[[], object]) -> Iterator[None]:
    """`write` is called ten times a second meanwhile, in a thread of its own."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            write()
            stop.wait(0.1)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def traffic(bench: EngineBench) -> Iterator[None]:
    """Both sources are written to meanwhile."""

    def write() -> None:
        bench.send(bench.events, 200, keys=200)
        bench.send(bench.installs, 30, keys=200)

    with again_and_again(write):
        yield


def owned(worker: GuardedProcess, stage: str = "") -> list[str]:
    """The partitions of the newest assignment that the worker has logged; `stage`: "" or "user "."""
    told = f"assigned {stage}partitions: "
    lines = [line for line in worker.output().splitlines() if told in line]
    numbers = lines[-1].split(told)[1].split("[")[0].strip() if lines else "none"
    return [] if numbers == "none" else numbers.split(",")


def owns(worker: GuardedProcess, count: int, stage: str = "") -> bool:
    """Whether these are so many."""
    return len(owned(worker, stage)) == count


def state_folder(settings: Settings) -> Path:
    """Where the worker keeps its state."""
    return Path(settings.state_dir)


def pause(seconds: float) -> None:
    """Let the traffic flow for a while."""
    time.sleep(seconds)
