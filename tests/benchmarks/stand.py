"""The stand that contestants run on: a broker of their own, the topics, their processes, and reading what they wrote.

Everything blocks.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.benchmarks.workload import CONFIG, PARTITIONS
from tests.support.processes import Start, starting

DEADLINE_SECONDS = 900.0
LOOK_SECONDS = 0.25


class _Job(msgspec.Struct):
    job_id: str
    record_id: str


class _Record(msgspec.Struct):
    id: str


decode_job = msgspec.json.Decoder(_Job).decode
decode_record = msgspec.json.Decoder(_Record).decode


class Broken(Exception):
    """A contestant ended, or did not come to its end; the message has the end of its log."""


class Stand:
    """A broker, settings for it, and a function that starts our commands with them."""

    def __init__(self, broker: EmbeddedBroker, settings: Settings, folder: Path, start: Start) -> None:
        self.broker, self.settings, self.folder, self.start = broker, settings, folder, start
        self.bootstrap = broker.bootstrap
        self.delivery = f"{settings.topic_prefix}delivery"

    @property
    def broker_process(self) -> GuardedProcess:
        """The broker's own process."""
        assert self.broker.process is not None
        return self.broker.process

    def configure(self, configuration: Path = CONFIG) -> None:
        """Apply a configuration and make every topic; then the delivery topic, too, tells when the broker appended."""
        for command in (("apply", str(configuration)), ("topics", "create")):
            process = self.start(*command)
            if process.wait(120):
                raise Broken(process.log_tail())
        self.stamp(self.delivery)

    def stamp(self, topic: str) -> None:
        """Have the broker write its own time into the records of a topic."""
        entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 3})
        for future in admin.incremental_alter_configs([resource]).values():
            future.result(30)


@contextmanager
def stand(partitions: int = PARTITIONS, **more: object) -> Iterator[Stand]:
    """A new broker and a new folder; both are gone at the end, with every process that was started. `more` are
    settings.
    """
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name, EmbeddedBroker() as broker:
        folder = Path(name)
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            state_dir=folder / "state",
            metrics_host="127.0.0.1",
            metrics_port=0,
            partitions=partitions,
            **more,
        )
        with starting(settings, folder) as start:
            yield Stand(broker, settings, folder, start)


def consumer(bootstrap: str, topic: str, partitions: int = PARTITIONS, *, committed: bool = True) -> Consumer:
    """Stands at the beginning of every partition of a topic. Commits nothing."""
    found = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-reads-only",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
        }
    )
    found.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    return found


def written(consumer: Consumer) -> int:
    """How many records, markers included, lie in the assigned partitions; 0 while they have no leader yet."""
    try:
        return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in consumer.assignment())
    except KafkaException:
        return 0


def await_written(
    bootstrap: str, topic: str, count: int, alive: Callable[[], str | None], partitions: int = PARTITIONS
) -> None:
    """Wait until a topic has `count` records, markers of transactions included. `alive` says why there is no hope.

    Asks for end offsets only, so it hardly disturbs. Raises Broken.
    """
    reader = consumer(bootstrap, topic, partitions)
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while (found := written(reader)) < count:
            problem = alive()
            if problem or time.monotonic() > deadline:
                raise Broken(problem or f"{topic}: {found} of {count} records after {DEADLINE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
    finally:
        reader.close()


def read(
    bootstrap: str,
    topic: str,
    count: int,
    alive: Callable[[], str | None],
    partitions: int = PARTITIONS,
) -> Iterator[Message]:
    """The first `count` committed records of a topic; waits for them. Raises Broken."""
    reader = consumer(bootstrap, topic, partitions)
    deadline = time.monotonic() + DEADLINE_SECONDS
    found = 0
    try:
        while found < count:
            messages = reader.consume(10_000, 1.0)
            found += len(messages)
            yield from messages
            if found < count and not messages:
                problem = alive()
                if problem or time.monotonic() > deadline:
                    raise Broken(problem or f"{topic}: {found} of {count} records")
    finally:
        reader.close()


def read_all(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> Iterator[Message]:
    """Every committed record that a topic has when this is called."""
    reader = consumer(bootstrap, topic, partitions)
    reader_ends = {place.partition: reader.get_watermark_offsets(place, timeout=30)[1] for place in reader.assignment()}
    try:
        while any(place.offset < reader_ends[place.partition] for place in reader.position(reader.assignment())):
            yield from reader.consume(10_000, 1.0)
    finally:
        reader.close()


def watching(*processes: GuardedProcess) -> Callable[[], str | None]:
    """Says why one of the processes is gone: the end of its log; None while all run."""

    def problem() -> str | None:
        return next((process.log_tail() or "ended" for process in processes if not process.running), None)

    return problem
