"""Reading what lies between two offsets of partitions, without joining a group."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams import kafka
from streams.settings import Settings

from .site import Place

#: A silent fetch at the end of a partition should not make the user wait.
FETCH_WAIT_MS = 20


class Unread(Exception):
    """These partitions were not read to their end in time; what was read of them before was given."""

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = tuple(places)
        super().__init__(f"({len(self.places)} partitions were not read to their end)")


def committed(settings: Settings, spans: Mapping[Place, tuple[int, int]], seconds: float) -> Iterator[Message]:
    """The committed records of each partition from an offset up to another one, which the partition has reached.

    Blocks; raises KafkaException, and `Unread` after `seconds`.
    """
    filled = {place: span for place, span in spans.items() if span[1] > span[0]}
    if not filled:
        return
    consumer = Consumer(
        kafka.consumer_settings(
            settings,
            group_id=f"{settings.topic_prefix}doctor",
            enable_partition_eof=True,
            allow_auto_create_topics=False,
            fetch_wait_max_ms=FETCH_WAIT_MS,
            error_cb=lambda _error: None,
        )
    )
    try:
        consumer.assign([TopicPartition(*place, start) for place, (start, _) in filled.items()])
        yield from until(consumer, {place: end for place, (_, end) in filled.items()}, seconds)
    finally:
        consumer.close()


def until(consumer: Consumer, ends: Mapping[Place, int], seconds: float) -> Iterator[Message]:
    """What the consumer reads, until each partition was read to the end that it had: a busy one has no last record.
    Raises as `committed`.
    """
    left = dict(ends)
    deadline = time.monotonic() + seconds
    while left:
        if time.monotonic() > deadline:
            raise Unread(left)
        for message in consumer.consume(1_000, 0.2):
            place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
            if _stands_at_end(message):
                left.pop(place, None)
                continue
            if offset < ends[place]:
                yield message
            if offset + 1 >= ends[place]:
                left.pop(place, None)


def _stands_at_end(message: Message) -> bool:
    """Whether this is no record but the news that there is none. Raises KafkaException for any other news."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is not None
