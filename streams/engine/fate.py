"""What became of a transaction that Kafka said it had committed: it may be rolled back all the same.

A broker that shuts down may note a transaction as complete without having written the ends of it into the partitions,
which have no leader in that moment. Its records then hang: they hide what follows from read-committed readers, until
the same producer ends another transaction in the same partition. That one's end is theirs too, commit or abort.

All functions block, and wait for brokers that are away until `stopped()`; then they raise KafkaException.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S = 5.0
PAUSE_S = 0.1
#: It is tried so often to end what hangs.
TRIES = 5
#: The ends of a transaction reach its partitions within moments. What is open for longer (seconds) hangs.
OPEN_S = 2.0

#: What no waiting mends.
FINAL = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.UNSUPPORTED_VERSION}
)

#: Of a record: committed readers see it; it was rolled back; its transaction has not ended; it is not in the log.
Fate = Literal["there", "undone", "open", "gone"]
Stopped = Callable[[], bool]


class Lying(NamedTuple):
    """Where a record lies. `partition`: its number."""

    topic: str
    partition: int
    offset: int


class _Found(NamedTuple):
    """The first that a reader finds: a record at this offset, or, there being none, its end."""

    offset: int
    record: bool


def never() -> bool:
    """Wait for as long as it takes."""
    return False


def hangs(settings: Settings, topic: str, partition: int, stopped: Stopped = never) -> bool:
    """Whether a transaction is open in a partition, and stays open: readers do not get on for `OPEN_S`. To be asked
    while no transaction of one's own is open, and where those of others are short.

    Who may not look is told that nothing hangs: it is logged.
    """
    admin = AdminClient(kafka.confluent_settings(settings))
    place = TopicPartition(topic, partition)
    since, stood = time.monotonic(), -1
    while True:
        try:
            # In this order: a record that is appended in between cannot look like an open one.
            end = _end(admin, place, IsolationLevel.READ_UNCOMMITTED)
            stable = _end(admin, place, IsolationLevel.READ_COMMITTED)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if stopped():
                raise
            log.warning("%s partition %d: its end cannot be looked up: %s", topic, partition, error.str())
            if error.code() in FINAL:
                return False
            time.sleep(PAUSE_S)
            continue
        if stable >= end:
            return False
        if stable != stood:
            since, stood = time.monotonic(), stable
        if time.monotonic() - since > OPEN_S:
            return True
        _pause(stopped)


def end(
    settings: Settings, who: str, topic: str, partition: int, throw_away: Callable[[], None], stopped: Stopped = never
) -> bool:
    """While something hangs in a partition: let `throw_away` end it for `who`, a few times. Whether something did."""
    for tried in range(TRIES):
        if not hangs(settings, topic, partition, stopped):
            return tried > 0
        log.error(
            "%s: Kafka has noted a transaction of %s partition %d as complete, but has not ended it there; it is "
            "rolled back",
            who,
            topic,
            partition,
        )
        throw_away()
    if hangs(settings, topic, partition, stopped):
        log.error(
            "what hangs in %s partition %d cannot be ended from here, and hides what follows: look for it with "
            "`kafka-transactions.sh find-hanging`, and end it with its `abort`",
            topic,
            partition,
        )
    return True


def of(settings: Settings, record: Lying, stopped: Stopped = never) -> Fate:
    """What became of a record of ours that was committed, as far as we were told."""
    opened: float | None = None
    while True:
        found = _first(settings, record, "read_committed", stopped)
        if found.record and found.offset == record.offset:
            return "there"
        if found.record or found.offset > record.offset:
            return "undone" if lies(settings, record, stopped) else "gone"
        opened = opened or time.monotonic()
        if time.monotonic() - opened > OPEN_S:
            return "open"
        _pause(stopped)


def lies(settings: Settings, record: Lying, stopped: Stopped = never) -> bool:
    """Whether there is a record at this offset at all, committed or not. Of one that committed readers do not see, in a
    partition where nothing is open: whether it was rolled back.

    If not, it was compacted away, and whoever has its row has nothing that never was: compaction leaves the newest
    segment alone, so others have written much since, and a batch that was rolled back they have applied again. With
    that they have written the rows of the same keys anew, to be read behind this place.
    """
    found = _first(settings, record, "read_uncommitted", stopped)
    return found.record and found.offset == record.offset


def _end(admin: AdminClient, place: TopicPartition, level: IsolationLevel) -> int:
    asked = {place: OffsetSpec.latest()}  # type: ignore[no-untyped-call]
    return int(admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_S)[place].result().offset)


def _first(settings: Settings, record: Lying, level: str, stopped: Stopped) -> _Found:
    options: dict[str, Any] = {"isolation_level": level, "enable_partition_eof": True, "fetch_wait_max_ms": 50}
    # In no group; named as the other readers of changelogs are.
    consumer = Consumer(kafka.consumer_settings(settings, group_id=f"{settings.worker_id}-recovery", **options))
    try:
        consumer.assign([TopicPartition(*record)])
        asked = time.monotonic()
        while True:
            message = consumer.poll(PAUSE_S)
            error = message.error() if message is not None else None
            if message is not None and (error is None or error.code() == KafkaError._PARTITION_EOF):
                return _Found(message.offset() or 0, error is None)
            if stopped():
                raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
            if error is not None or time.monotonic() - asked > ASK_S:
                asked = time.monotonic()
                log.warning("%s partition %d: waiting for offset %d: %s", *record, error or "no answer")
    finally:
        consumer.close()


def _pause(stopped: Stopped) -> None:
    if stopped():
        raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
    time.sleep(PAUSE_S)
