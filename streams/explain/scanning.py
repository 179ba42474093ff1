"""Reading single partitions from an append time on, up to their ends as they are now, as a member of no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings

ASK_SECONDS = 10.0
#: So long a fetch gathers records: what is less than a fetch takes as long.
POLL_SECONDS = 0.05
FETCH = 10_000
#: Whoever reads to an end hears something within so many seconds, or there is nobody to hear from.
SILENCE_SECONDS = 30.0
#: At the end of a partition nobody should wait for what does not come (ms).
FETCH_WAIT_MS = 20

REMEDY = "is Kafka there?"

Place = tuple[str, int]
#: Says how many records have been read, and about how many there are.
Tell = Callable[[int, int], None]


class Span(NamedTuple):
    """Offsets of a partition: it begins at `begin`; read is from `first` on, `end` excluded."""

    begin: int
    first: int
    end: int


class Scanner:
    """Reads partitions, and measures how fast. Its methods block and raise `Stop`; for one thread."""

    def __init__(self, settings: Settings, admin: AdminClient, tell: Tell) -> None:
        self._settings, self._admin, self._tell = settings, admin, tell
        #: Records read so far, and the seconds that took.
        self.records = 0
        self.seconds = 0.0

    def spans(self, places: Iterable[Place], since: int | None) -> dict[Place, Span]:
        """What there is of these partitions for readers of committed records. `since`: append time in ms, from which on
        they are read (None: from their beginnings).
        """
        places = list(places)
        begin = self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        end = self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        first = begin
        if since is not None:
            found = self._offsets(places, OffsetSpec.for_timestamp(max(0, since)))
            # Nothing was appended since: then there is no such offset.
            first = {place: end[place] if found[place] < 0 else found[place] for place in places}
        return {place: Span(begin[place], first[place], end[place]) for place in places}

    def _offsets(self, places: list[Place], spec: Any) -> dict[Place, int]:
        if not places:
            return {}
        asked = {TopicPartition(*place): spec for place in places}
        try:
            found = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ASK_SECONDS
            )
            return {(place.topic, place.partition): one.result().offset for place, one in found.items()}
        except KafkaException as error:
            raise Stop(f"the topics cannot be read: {error.args[0].str()}", REMEDY) from error

    def read(self, spans: Mapping[Place, Span]) -> Iterator[Message]:
        """The committed records of these spans, those of each partition in their order."""
        left = {place: span.end for place, span in spans.items() if span.end > span.first}
        if not left:
            return
        total = self.records + sum(span.end - span.first for span in spans.values())
        began = time.monotonic()
        consumer = Consumer(
            kafka.consumer_settings(
                self._settings,
                group_id="reads-only",
                enable_partition_eof=True,
                allow_auto_create_topics=False,
                fetch_wait_max_ms=FETCH_WAIT_MS,
                error_cb=lambda _error: None,
            )
        )
        try:
            consumer.assign([TopicPartition(*place, spans[place].first) for place in left])
            for message in self._until(consumer, left):
                self.records += 1
                if not self.records % FETCH:
                    self._tell(self.records, total)
                yield message
        except KafkaException as error:
            raise Stop(f"the topics cannot be read: {error.args[0].str()}", REMEDY) from error
        finally:
            consumer.close()
            self.seconds += time.monotonic() - began

    def _until(self, consumer: Consumer, left: dict[Place, int]) -> Iterator[Message]:
        heard = time.monotonic()
        trouble = ""
        while left:
            messages = consumer.consume(FETCH, POLL_SECONDS)
            for message in messages:
                place, offset, error = _place(message), message.offset() or 0, message.error()
                if error is not None:
                    trouble = _trouble(error) or trouble
                    if error.code() == KafkaError._PARTITION_EOF:
                        # Behind what is no record, too: the ends of transactions.
                        left.pop(place, None)
                    continue
                end = left.get(place)
                if end is not None and offset < end:
                    yield message
                if end is not None and offset + 1 >= end:
                    del left[place]
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise Stop(trouble or f"nothing was heard of {', '.join(sorted({one for one, _ in left}))}", REMEDY)


def _place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


def _trouble(error: KafkaError) -> str:
    """What is wrong, if waiting may mend it; raises KafkaException if not; empty for the news of an end."""
    if error.code() == KafkaError._PARTITION_EOF:
        return ""
    if error.retriable() or error.code() in PASSING:
        return str(error.str())
    raise KafkaException(error)


#: The client mends these by itself.
PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT})
