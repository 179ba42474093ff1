"""Reading a changelog fast, in chunks: what recoveries and standbys share."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, Message

from streams import kafka
from streams.settings import Settings

log = logging.getLogger(__name__)

#: The key of records that are in the changelog only: what they are for is where they lie, and when they were appended.
BARRIER_KEY = b"m:barrier"

#: Most records that are taken in at once: a few MiB of them.
CHUNK = 5_000
WAIT_S = 0.2
#: What one consumer may ask for at once, and keep ahead of what is taken: with a distant broker, the larger the faster.
#: The answers to a request that is under way come on top.
FETCH_BYTES = 2 << 20
AHEAD_KIB = 4 << 10


class Chunk(NamedTuple):
    """The newest row of each key, the offset behind what was read, and the append time of the last record."""

    rows: Mapping[bytes, bytes | None]
    next: int
    appended: int
    records: int


def consumer(settings: Settings, group: str, **more: object) -> Consumer:
    """Reads committed records of what it is assigned, in large fetches, within bounded memory; is in no group."""
    return Consumer(
        kafka.consumer_settings(
            settings,
            group_id=group,
            fetch_max_bytes=2 * FETCH_BYTES,
            max_partition_fetch_bytes=FETCH_BYTES,
            queued_max_messages_kbytes=AHEAD_KIB,
            fetch_wait_max_ms=100,
            # How long a full queue rests before it is looked at again: by default a second, in which it would stand
            # empty nearly all the time.
            fetch_queue_backoff_ms=2,
            **more,
        )
    )


def first_of(messages: Sequence[Message]) -> int | None:
    """The offset of the first record among them; None when there is none."""
    return next((message.offset() for message in messages if message.error() is None), None)


def chunk_of(messages: Sequence[Message], unit: object) -> Chunk | None:
    """Of records of one partition (`unit`, for the log) in order, errors among them left out; None of none."""
    good = [message for message in messages if message.error() is None]
    if len(good) < len(messages):
        for text in {str(error) for message in messages if (error := message.error())}:
            log.warning("%s: reading the changelog: %s", unit, text)
    if not good:
        return None
    # The last one of a key stays: most of a busy device's rows are never written here.
    rows = {message.key(): message.value() for message in good}
    rows.pop(BARRIER_KEY, None)
    rows.pop(None, None)
    last = good[-1]
    return Chunk(rows, (last.offset() or 0) + 1, last.timestamp()[1], len(good))  # type: ignore[arg-type]
