"""How the demo reads topics: to an end that is an end, and not for ever; and how it knows that nothing is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from confluent_kafka import Producer

from schemas.job import Job, Request
from streams import kafka
from streams.delivery import receipts
from streams.demo.observed import Ledger
from streams.demo.play import _at_rest
from streams.engine.holds import hold_row
from streams.engine.stages import changelog_topic
from streams.errors import Stop
from streams.local.reading import Reader
from streams.settings import Settings
from tests.support.topics import Sent, create_topics, produce

JOB = Job(
    job_id="1" * 32,
    postback_id="p",
    partner="acme",
    app_id="app",
    event="install",
    record_id="r",
    device_key="app|d",
    generation=1,
    decided_at=1_767_323_045_000,
    due_at=1_767_323_045_000,
    max_age=1_000,
    retry_attempts=0,
    request=Request("GET", ("http://x/",)),
)


@contextmanager
def transaction(settings: Settings) -> Iterator[Producer]:
    """A producer with a transaction under way, whose end is the test's affair."""
    producer = Producer(kafka.producer_settings(settings, transactional_id=f"{settings.topic_prefix}t"))
    producer.init_transactions(30)
    producer.begin_transaction()
    yield producer


def values(reader: Reader, pending: bool) -> list[bytes | None]:
    return [message.value() for message in reader.to_end(pending=pending)]


def test_the_end_is_that_of_now_and_of_pending_transactions_when_they_have_ended(
    settings: Settings, bootstrap: str, prefix: str
) -> None:
    topic = f"{prefix}read"
    create_topics(bootstrap, {topic: 2})
    produce(bootstrap, topic, [Sent(b"1", partition=0)])
    with Reader(settings, [topic]) as reader, transaction(settings) as producer:
        assert values(reader, pending=True) == [b"1"]
        assert values(reader, pending=True) == []
        producer.produce(topic, b"2", partition=1)
        producer.flush(10)
        assert values(reader, pending=False) == []
        later = threading.Timer(0.5, producer.commit_transaction)
        later.start()
        assert values(reader, pending=True) == [b"2"]
        later.join()
        # The transaction's own mark is behind the last record, and read as well.
        assert values(reader, pending=True) == []
        produce(bootstrap, topic, [Sent(b"3", partition=0), Sent(b"4", partition=1)])
        assert sorted(filter(None, values(reader, pending=False))) == [b"3", b"4"]


def test_who_hears_nothing_does_not_wait_for_ever(settings: Settings, bootstrap: str, prefix: str) -> None:
    topic = f"{prefix}read"
    create_topics(bootstrap, {topic: 1})
    with transaction(settings) as producer:
        producer.produce(topic, b"1", partition=0)
        producer.flush(10)
        with (
            Reader(settings, [topic], silence=1) as reader,
            pytest.raises(Stop, match=r"nothing was heard of .* for 1 s"),
        ):
            values(reader, pending=True)
        producer.abort_transaction(10)


def test_who_waits_looks_whether_it_is_of_use(settings: Settings, bootstrap: str, prefix: str) -> None:
    """As the demo looks whether its broker lives."""
    topic = f"{prefix}read"
    create_topics(bootstrap, {topic: 1})
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() > began + 1:
            raise Stop("the broker has ended")

    with transaction(settings) as producer:
        producer.produce(topic, b"1", partition=0)
        producer.flush(10)
        with Reader(settings, [topic], check=check) as reader, pytest.raises(Stop, match="the broker has ended"):
            values(reader, pending=True)
        producer.abort_transaction(10)


def test_nothing_is_left_when_nothing_is_held_and_every_job_has_ended(
    settings: Settings, bootstrap: str, prefix: str
) -> None:
    """The job of a record that was held is on its way while the row that holds it is being taken away."""
    topics, changelog = kafka.Topics(prefix), changelog_topic(settings)
    ledger = Ledger(settings, ["p"])
    assert {topics.delivery, topics.receipts, topics.dead_letters, changelog} <= set(ledger.topics)
    create_topics(bootstrap, dict.fromkeys(ledger.topics, 1))
    with Reader(settings, ledger.topics) as reader, transaction(settings) as producer:
        assert _at_rest(reader, ledger)
        row = hold_row(1, JOB.device_key)
        produce(bootstrap, changelog, [Sent(b"2", row, partition=0)])
        assert not _at_rest(reader, ledger)
        assert ledger.held == 2
        producer.produce(changelog, None, row, partition=0)
        producer.produce(topics.delivery, msgspec.json.encode(JOB), partition=0)
        producer.flush(10)
        later = threading.Timer(0.5, producer.commit_transaction)
        later.start()
        assert not _at_rest(reader, ledger)
        later.join()
        assert (ledger.held, ledger.counts.total("waiting")) == (0, 1)
        produce(bootstrap, topics.receipts, [Sent(receipts.terminal(JOB, "delivered", 1, 1), partition=0)])
        assert _at_rest(reader, ledger)
