"""Transactions that a broker has forgotten to end: the producer that follows ends them, or nothing could be read on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.transaction import TxnOffsetCommitRequest
from aiokafka.structs import TopicPartition as Place
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.delivery.outcomes import Transactions
from streams.local.broker import EmbeddedBroker
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import Bench, configuration, ended, job_for, partner_named, sending
from tests.support.topics import create_topics, values
from tests.support.waiting import eventually

GROUP_COORDINATOR = 0


@pytest.fixture
def gullible(tmp_path: Path) -> Iterator[Settings]:
    """Settings for a broker that takes what belongs to no transaction its coordinator knows, as one does that has noted
    a transaction as complete without having written its ends.
    """
    with EmbeddedBroker(tmp_path / "kafka", extra={"transaction.partition.verification.enable": "false"}) as broker:
        yield Settings(bootstrap_servers=broker.bootstrap, topic_prefix="hangs.", sender_group="hangs")


async def leave_open(settings: Settings, transactional_id: str, receipts: Place, delivery: Place) -> None:
    """Write a record and an offset in a transaction of which the coordinator knows nothing."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=transactional_id)
    await producer.start()
    await producer.begin_transaction()
    own = producer._txn_manager
    own._txn_partitions.add(receipts)
    await producer.send_and_wait(receipts.topic, b"hangs", partition=receipts.partition)
    offsets = [(delivery.topic, [(delivery.partition, 7, "")])]
    commit = TxnOffsetCommitRequest(
        transactional_id, settings.sender_group, own.producer_id, own.producer_epoch, offsets
    )
    node = await producer.client.coordinator_lookup(GROUP_COORDINATOR, settings.sender_group)
    answer = await producer.client.send(node, commit)
    assert answer.errors == [(delivery.topic, [(delivery.partition, 0)])]
    await producer.stop()


def coordinated(member: Consumer, topic: str) -> bool:
    """Whether the group's coordinator answers; whoever asks first has it made."""
    try:
        return member.committed([TopicPartition(topic, 0)], timeout=5)[0].error is None
    except KafkaException:
        return False


def unread(admin: AdminClient, receipts: Place) -> int:
    """How many records lie behind the oldest transaction that is open."""
    place = TopicPartition(receipts.topic, receipts.partition)
    ends = [
        admin.list_offsets({place: OffsetSpec.latest()}, isolation_level=level)[place].result().offset
        for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED)
    ]
    return int(ends[0] - ends[1])


def unstable(admin: AdminClient, group: str, delivery: Place) -> bool:
    """Whether the group's offset waits for the end of a transaction."""
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(delivery.topic, delivery.partition)])
    found = admin.list_consumer_group_offsets([asked], require_stable=True)[group].result().topic_partitions[0]
    return found.error is not None and found.error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT


async def test_a_process_with_a_name_ends_what_one_of_its_name_left_hanging_and_goes_on(gullible: Settings) -> None:
    more = {"instance_id": "one", "egress_allow": ("127.0.0.0/8",), "metrics_host": "127.0.0.1", "partitions": 1}
    settings = gullible.model_copy(update=more | {"sender_metrics_port": 0})
    bench = Bench(settings)
    await asyncio.to_thread(bench.create)
    bench.configure(configuration([partner_named()]))
    receipts, delivery = Place(bench.topics.receipts, 0), Place(bench.topics.delivery, 0)
    member = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.sender_group})
    await asyncio.to_thread(eventually, lambda: coordinated(member, delivery.topic), within=30)
    member.close()
    await leave_open(settings, f"{settings.sender_group}-one", receipts, delivery)
    async with Partner() as partner, sending(settings):
        bench.decide([job_for(partner.url("/i"), 1)])
        await ended(bench, 1)
    assert bench.outcomes() == {"delivered": 1}


def test_what_hangs_is_aborted_by_the_next_producer_of_the_same_id(gullible: Settings) -> None:
    topics = kafka.Topics(gullible.topic_prefix)
    create_topics(gullible.bootstrap_servers, {topics.receipts: 1, topics.delivery: 1})
    receipts, delivery = Place(topics.receipts, 0), Place(topics.delivery, 0)
    member = Consumer(
        {"bootstrap.servers": gullible.bootstrap_servers, "group.id": gullible.sender_group, "log_level": 0}
    )
    eventually(lambda: coordinated(member, topics.delivery), within=30, what="the group has a coordinator")
    asyncio.run(leave_open(gullible, "hangs-one", receipts, delivery))
    admin = AdminClient({"bootstrap.servers": gullible.bootstrap_servers, "log_level": 0})
    assert unread(admin, receipts) > 0
    assert unstable(admin, gullible.sender_group, delivery)

    written = {(receipts.topic, receipts.partition)}
    transactions = Transactions(gullible, "hangs-one", lambda _: member.consumer_group_metadata(), written)
    try:
        transactions.start()
        eventually(lambda: unread(admin, receipts) == 0, what="nothing is hidden")
        eventually(lambda: not unstable(admin, gullible.sender_group, delivery), what="the offset can be read")
        assert not written
    finally:
        transactions.discard()
        member.close()
    assert values(gullible.bootstrap_servers, topics.receipts) == []
