"""The difference between this machine's clock and the broker's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams import kafka

from . import verdicts
from .findings import Finding, warning
from .site import Site

#: The broker stamps the records of delay topics itself, and the report of a delivery carries its stamp. The longest
#: tier is the least busy.
TIER = kafka.TIERS_MS[-1]

#: Should this process be killed in the middle, jobs behind the record are hidden from senders for so long.
TRANSACTION_TIMEOUT_MS = 10_000


def clock(site: Site) -> Iterator[Finding]:
    """Have the broker stamp a record, in a transaction that is aborted: no reader of committed records ever sees it,
    though it and its marker stay in the topic for as long as that keeps anything.
    """
    topic = site.names().retry(TIER)
    found = site.look([topic])
    if topic not in found or found[topic].config.get("message.timestamp.type") != "LogAppendTime":
        yield warning(f"not looked at: {topic}, which the broker stamps, is not there", "ringback topics create")
        return
    try:
        yield verdicts.clock(*_stamped(site, topic))
    except KafkaException as error:
        yield warning(
            f"could not be measured: {error.args[0].str()}",
            "if Kafka has access rules: allow the transactional id, or compare the clocks by hand",
        )


def _stamped(site: Site, topic: str) -> tuple[int, int, int]:
    """Our clock before, the broker's stamp, and our clock after. Blocks; raises KafkaException."""
    name = f"{site.settings.topic_prefix}doctor-{socket.gethostname()}"
    producer = Producer(
        kafka.producer_settings(
            site.settings, transactional_id=name, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS, linger_ms=0
        )
    )
    producer.init_transactions(max(10.0, site.timeout))
    seen: list[tuple[int, int, int]] = []
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            seen.append((before, message.timestamp()[1], site.now()))
        else:
            failed.append(error)

    producer.begin_transaction()
    try:
        before = site.now()
        producer.produce(topic, b"", partition=0, on_delivery=delivered)
        producer.flush(site.timeout)
    finally:
        producer.abort_transaction(max(10.0, site.timeout))
    if not seen:
        raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))
    return seen[0]
