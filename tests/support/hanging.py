"""Transactions that a broker has noted as complete without having ended them: made, and looked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.producer.transaction_manager import PidAndEpoch
from aiokafka.protocol.transaction import TxnOffsetCommitRequest
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import direct
from streams.delivery import coordinator
from streams.engine import tokens
from streams.engine.tokens import Token
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings

Rows = Iterable[tuple[bytes, bytes | None]]
GROUP_COORDINATOR = 0
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


def hang_behind(
    settings: Settings,
    transactional_id: str,
    records: Mapping[tuple[str, int], tuple[int, bytes]] | None = None,
    offsets: Mapping[tuple[str, int], int] | None = None,
) -> None:
    """Leave these values and positions of the sender's group without an end, as if they belonged to the newest
    transaction of this id. With a value goes how many records its producer has written to the partition before.
    """

    async def number(client: AIOKafkaClient) -> tuple[int, int]:
        state = await coordinator._Asking(client, transactional_id).state()
        assert state is not None
        return state.producer

    producer = direct.ask(settings, [], number)
    asyncio.run(_hang_behind(settings, transactional_id, producer, records or {}, offsets or {}))


async def _hang_behind(
    settings: Settings,
    transactional_id: str,
    number: tuple[int, int],
    records: Mapping[tuple[str, int], tuple[int, bytes]],
    offsets: Mapping[tuple[str, int], int],
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=f"as-{transactional_id}")
    await producer.start()
    own = producer._txn_manager
    own._pid_and_epoch = PidAndEpoch(*number)
    await producer.begin_transaction()
    for place, (before, value) in records.items():
        own._txn_partitions.add(Place(*place))
        own._sequence_numbers[Place(*place)] = before
        await producer.send_and_wait(place[0], value, partition=place[1])
    if offsets:
        await commit_offsets(producer, settings.sender_group, transactional_id, offsets)
    await producer.stop()


async def commit_offsets(
    producer: AIOKafkaProducer, group: str, transactional_id: str, offsets: Mapping[tuple[str, int], int]
) -> None:
    """Commit positions in a transaction of which the coordinator knows nothing."""
    own = producer._txn_manager
    rows = [(topic, [(number, offset, "")]) for (topic, number), offset in offsets.items()]
    commit = TxnOffsetCommitRequest(transactional_id, group, own.producer_id, own.producer_epoch, rows)
    node = await producer.client.coordinator_lookup(GROUP_COORDINATOR, group)
    answer = await producer.client.send(node, commit)
    assert answer.errors == [(topic, [(number, 0)]) for topic, number in offsets]


def coordinated(member: Consumer, topic: str) -> bool:
    """Whether the group's coordinator answers; whoever asks first has it made."""
    try:
        return member.committed([TopicPartition(topic, 0)], timeout=5)[0].error is None
    except KafkaException:
        return False


def unread(admin: AdminClient, where: tuple[str, int]) -> int:
    """How many records lie behind the oldest transaction that is open in a partition."""
    place = TopicPartition(*where)
    ends = [
        admin.list_offsets({place: OffsetSpec.latest()}, isolation_level=level)[place].result().offset
        for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED)
    ]
    return int(ends[0] - ends[1])


def position(admin: AdminClient, group: str, where: tuple[str, int]) -> int | None:
    """The position of the group in a partition; None: it waits for the end of a transaction."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(*where)])
    found = admin.list_consumer_group_offsets([asked], require_stable=True)[group].result().topic_partitions[0]
    if found.error is None:
        return int(found.offset)
    assert found.error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT, found.error
    return None
