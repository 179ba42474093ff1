"""What became of records that Kafka said it had committed: they may be rolled back all the same (see `hanging`).

All functions block, and wait for brokers that are away until `stopped()`; then they raise KafkaException.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.engine import asking
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S = 5.0
PAUSE_S = 0.1
#: The ends of a transaction reach its partitions within moments. What is open for longer (seconds) hangs.
OPEN_S = 2.0
#: What the client has heard before that (seconds) it believes no more.
HEARD_S = kafka.METADATA_AGE_MS / 1000 + 0.5

#: Of a partition: it is not there (any more), or nobody lets us look.
UNSEEN = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_VERSION,
    }
)

#: These the client says by itself, by what it has heard of the topic before.
HEARSAY = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})

#: Of a record: committed readers see it; it was rolled back; its transaction has not ended; it is not in the log.
Fate = Literal["there", "undone", "open", "gone"]
Stopped = Callable[[], bool]


class Lying(NamedTuple):
    """Where a record lies. `partition`: its number."""

    topic: str
    partition: int
    offset: int


class Found(NamedTuple):
    """The first that a reader finds: a record at this offset, its headers and its time (ms), or, there being none, the
    end.
    """

    offset: int
    record: bool
    headers: list[tuple[str, bytes]] | None = None
    appended: int = 0


def never() -> bool:
    """Wait for as long as it takes."""
    return False


def of(settings: Settings, records: Collection[Lying], stopped: Stopped = never) -> dict[Lying, Fate]:
    """What became of records of ours that were committed, as far as we were told; no two of one partition. All are
    asked for at once.
    """
    fates: dict[Lying, Fate] = {}
    admin = asking.client(settings)
    asked = time.monotonic()
    while left := {(one.topic, one.partition): one for one in records if one not in fates}:
        # A reader that begins behind what is open would be told nothing.
        stable = ends(admin, left, IsolationLevel.READ_COMMITTED, stopped)
        over = [one for place, one in left.items() if stable.get(place, one.offset + 1) > one.offset]
        found = firsts(settings, [one for one in over if one[:2] in stable], "read_committed", stopped)
        fates.update((one, "there") for one in found if _is_at(found[one], one))
        fates.update(_not_there(settings, [one for one in found if one not in fates], stopped))
        fates.update((one, "gone") for one in over if one not in found)
        if len(fates) < len(records) and time.monotonic() - asked > OPEN_S:
            fates.update((one, "open") for one in records if one not in fates)
        elif len(fates) < len(records):
            pause(stopped)
    return fates


def _not_there(settings: Settings, records: Collection[Lying], stopped: Stopped) -> Iterable[tuple[Lying, Fate]]:
    found = firsts(settings, records, "read_uncommitted", stopped)
    return ((one, "undone" if _is_at(found[one], one) else "gone") for one in records)


def lies(settings: Settings, record: Lying, stopped: Stopped = never) -> bool:
    """Whether there is a record at this offset at all, committed or not. Of one that committed readers do not see, in a
    partition where nothing is open: whether it was rolled back.

    If not, it was compacted away, and whoever has its row has nothing that never was: compaction leaves the newest
    segment alone, so others have written much since, and a batch that was rolled back they have applied again. With
    that they have written the rows of the same keys anew, to be read behind this place.
    """
    return _is_at(firsts(settings, [record], "read_uncommitted", stopped)[record], record)


def _is_at(found: Found, record: Lying) -> bool:
    return found.record and found.offset == record.offset


def firsts(settings: Settings, records: Collection[Lying], level: str, stopped: Stopped) -> dict[Lying, Found]:
    """What a reader of this isolation level that begins at each of these finds first; no two of one partition."""
    found: dict[Lying, Found] = {}
    if not records:
        return found
    options: dict[str, Any] = {"isolation_level": level, "enable_partition_eof": True, "fetch_wait_max_ms": 50}
    left = {(record.topic, record.partition): record for record in records}
    # In no group; named as the other readers of changelogs are.
    consumer = Consumer(kafka.consumer_settings(settings, group_id=f"{settings.worker_id}-recovery", **options))
    try:
        consumer.assign([TopicPartition(*record) for record in records])
        asked = time.monotonic()
        while left:
            message = consumer.poll(PAUSE_S)
            error = message.error() if message is not None else None
            if message is not None and (error is None or error.code() == KafkaError._PARTITION_EOF):
                place = (message.topic() or "", message.partition() or 0)
                if record := left.pop(place, None):
                    headers: Any = message.headers() if error is None else None
                    found[record] = Found(message.offset() or 0, error is None, headers, message.timestamp()[1])
                    consumer.pause([TopicPartition(*place)])
                continue
            if stopped():
                raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
            if error is not None or time.monotonic() - asked > ASK_S:
                asked = time.monotonic()
                log.warning("waiting for %s: %s", _places(left), error or "no answer")
    finally:
        consumer.close()
    return found


def ends(
    admin: AdminClient, places: Iterable[tuple[str, int]], level: IsolationLevel, stopped: Stopped
) -> dict[tuple[str, int], int]:
    """The end of each, as readers of this level see it; of those that can be seen. All are asked at once."""
    every, found = set(places), dict[tuple[str, int], int]()
    left, doubted = set(every), False
    began = time.monotonic()
    while left:
        # Of one that is not there the client only says so when it is asked for others as well.
        those = every if doubted else left
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in those}  # type: ignore[no-untyped-call]
        reason, doubted = "", False
        for place, answer in admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_S).items():
            known = (place.topic, place.partition)
            error = answer.exception()
            if error is None:
                found[known] = int(answer.result().offset)
                left.discard(known)
                continue
            if not isinstance(error, KafkaException):
                raise error
            code, reason = error.args[0].code(), f"{place.topic} partition {place.partition}: {error.args[0].str()}"
            if code in HEARSAY and time.monotonic() - began < HEARD_S:
                doubted = True
            elif code in UNSEEN:
                left.discard(known)
                log.info("the end cannot be seen: %s", reason)
        if left:
            log.log(logging.DEBUG if doubted else logging.WARNING, "the end cannot be looked up: %s", reason)
            pause(stopped)
    return found


def _places(places: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{topic} partition {number}" for topic, number in places)


def pause(stopped: Stopped) -> None:
    """For a moment. Raises KafkaException when `stopped()`."""
    if stopped():
        raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
    time.sleep(PAUSE_S)
