"""Topics of the real broker: made, written and read, as a stranger's programs would."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


class Sent(NamedTuple):
    """A record to produce. No `partition`: placed by its key as Kafka's default partitioner does; no `timestamp` (ms):
    now.
    """

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    timestamp: int | None = None
    headers: Mapping[str, bytes] = {}


class Read(NamedTuple):
    """A record that was read; `timestamp` in ms."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def create_topics(bootstrap: str, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
    """Make each topic with its number of partitions; returns when all of them have a leader."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [NewTopic(name, count, 1, config=dict(config or {})) for name, count in topics.items()]
    for made in admin.create_topics(wanted).values():
        made.result(30)
    deadline = time.monotonic() + 30
    while not all(_led(admin, name, count) for name, count in topics.items()):
        assert time.monotonic() < deadline, f"{list(topics)} have no leaders"
        time.sleep(0.05)


def _led(admin: AdminClient, topic: str, count: int) -> bool:
    found = admin.list_topics(topic, timeout=10).topics[topic].partitions
    return len(found) == count and all(partition.leader >= 0 for partition in found.values())


def produce(bootstrap: str, topic: str, records: Iterable[Sent], **options: str | int) -> None:
    """Write `records` in their order; returns when the broker has all of them. `options` with underscores
    (`compression_type`).
    """
    settings = {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True}
    producer = Producer(settings | {name.replace("_", "."): value for name, value in options.items()})
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error:
            failures.append(error)

    for record in records:
        place: dict[str, Any] = {}
        if record.partition is not None:
            place["partition"] = record.partition
        if record.timestamp is not None:
            place["timestamp"] = record.timestamp
        while True:
            try:
                producer.produce(
                    topic,
                    record.value,
                    record.key,
                    on_delivery=delivered,
                    headers=list(record.headers.items()),
                    **place,
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    assert not failures, failures[:3]


def read_topic(bootstrap: str, topic: str, *, within: float = 30.0) -> list[Read]:
    """All committed records of `topic`, up to its end as it is now, by partition and offset. KeyError: no such one."""
    return sorted(records(bootstrap, topic, within))


def values(bootstrap: str, topic: str, *, within: float = 30.0) -> list[bytes]:
    """The values of all committed records of `topic` that have one."""
    return [record.value for record in read_topic(bootstrap, topic, within=within) if record.value is not None]


def records(bootstrap: str, topic: str, within: float = 30.0) -> Iterator[Read]:
    """All committed records of `topic`, up to its end as it is now, as they come. KeyError: no such one."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reads-only",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        if found.error:
            raise KeyError(topic)
        partitions = found.partitions
        waiting = set(partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        deadline = time.monotonic() + within
        while waiting:
            assert time.monotonic() < deadline, (
                f"{topic}: end not reached within {within} s, partitions {sorted(waiting)}"
            )
            for message in consumer.consume(5000, 0.1):
                error = message.error()
                if error is None:
                    yield _read(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard(message.partition() or 0)
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def _read(message: Message) -> Read:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return Read(partition, offset, message.timestamp()[1], message.key(), message.value())
