"""Transactions that a broker has noted as complete without having ended them: made, and looked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import KafkaError, Message, Producer

from streams.engine import tokens
from streams.engine.tokens import Token
from streams.local.broker import EmbeddedBroker

Rows = Iterable[tuple[bytes, bytes | None]]
Headers = Sequence[tuple[str, bytes]]


@contextmanager
def gullible(folder: Path) -> Iterator[EmbeddedBroker]:
    """A broker that takes what belongs to no transaction its coordinator knows."""
    with EmbeddedBroker(folder, extra={"transaction.partition.verification.enable": "false"}) as broker:
        yield broker


def hang(
    bootstrap: str,
    transactional_id: str,
    rows: Mapping[tuple[str, int], Rows],
    committed: Mapping[tuple[str, int], Rows] | None = None,
    ends: Iterable[tuple[str, int]] = (),
    at: int | None = None,
) -> int:
    """Write these rows, by topic and partition, in a transaction of which the coordinator knows nothing; the offset of
    the last one. What is `committed` was part of the same transaction, and so were the changelogs in `ends`. `at`: what
    the clock of the writer says (milliseconds).
    """
    places = [*rows, *(committed or {}), *ends]
    changelogs = tokens.one_for_each([place for place in places if place[0].endswith("-changelog")])
    headers = tokens.headers(Token(transactional_id, time.time_ns(), changelogs))
    if committed:
        write(bootstrap, transactional_id, committed, headers).commit_transaction(30)
    return asyncio.run(_hang(bootstrap, transactional_id, rows, headers, at))


async def _hang(
    bootstrap: str, transactional_id: str, rows: Mapping[tuple[str, int], Rows], headers: Headers, at: int | None
) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
    await producer.start()
    await producer.begin_transaction()
    last = -1
    for place, those in rows.items():
        producer._txn_manager._txn_partitions.add(Place(*place))
        for number, (key, value) in enumerate(those):
            given = () if number else headers
            sent = producer.send_and_wait(place[0], value, key, place[1], timestamp_ms=at, headers=given)
            last = (await sent).offset
    await producer.stop()
    return last


def write(
    bootstrap: str, transactional_id: str, rows: Mapping[tuple[str, int], Rows], headers: Headers = ()
) -> Producer:
    """Write these rows in a transaction, which the producer has still open."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(30)
    producer.begin_transaction()
    for place, those in rows.items():
        for number, (key, value) in enumerate(those):
            producer.produce(place[0], value, key, place[1], headers=list(() if number else headers))
    assert producer.flush(30) == 0
    return producer


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
