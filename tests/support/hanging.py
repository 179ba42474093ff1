"""Transactions that a broker has noted as complete without having ended them: made, and looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import KafkaError, Message, Producer

from streams.local.broker import EmbeddedBroker

Rows = Iterable[tuple[bytes, bytes | None]]


@contextmanager
def gullible(folder: Path) -> Iterator[EmbeddedBroker]:
    """A broker that takes what belongs to no transaction its coordinator knows."""
    with EmbeddedBroker(folder, extra={"transaction.partition.verification.enable": "false"}) as broker:
        yield broker


def hang(bootstrap: str, transactional_id: str, rows: Mapping[tuple[str, int], Rows]) -> int:
    """Write these rows, by topic and partition, in a transaction of which the coordinator knows nothing; the offset of
    the last one.
    """
    return asyncio.run(_hang(bootstrap, transactional_id, rows))


async def _hang(bootstrap: str, transactional_id: str, rows: Mapping[tuple[str, int], Rows]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
    await producer.start()
    await producer.begin_transaction()
    last = -1
    for place, those in rows.items():
        producer._txn_manager._txn_partitions.add(Place(*place))
        for key, value in those:
            last = (await producer.send_and_wait(place[0], value, key, place[1])).offset
    await producer.stop()
    return last


def roll_back(bootstrap: str, transactional_id: str, topic: str, partition: int, rows: Rows) -> int:
    """Write these rows in a transaction that is aborted; the offset of the last one."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(30)
    producer.begin_transaction()
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        offsets.append(message.offset() or 0)

    for key, value in rows:
        producer.produce(topic, value, key, partition, on_delivery=delivered)
    assert producer.flush(30) == 0
    producer.abort_transaction(30)
    return offsets[-1]
