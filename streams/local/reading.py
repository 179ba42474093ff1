"""Topics as any reader sees them: what is committed, from the beginning on, as a member of no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.errors import RUNTIME, Stop
from streams.settings import Settings

ASK_SECONDS = 10.0
POLL_SECONDS = 0.1
BATCH = 5_000
#: Who reads to an end hears something within so many seconds, or there is nobody to hear from.
SILENCE_SECONDS = 30.0


#: A partition's leader has changed, or has come back; the client asks again by itself, whatever it says of the error.
PASSING = frozenset({KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH})


def _nothing() -> None:
    """No reason to stop."""


class Reader:
    """Reads topics from their beginning, or from `starts` (offsets by topic and partition). All methods but `close`
    block and raise `Stop`; used by one thread.

    `check` is called again and again while it waits, and may raise. `silence`: so many seconds without anything new
    `to_end` takes for the end of Kafka.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Iterable[str],
        *,
        check: Callable[[], None] = _nothing,
        silence: float = SILENCE_SECONDS,
        starts: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        topics = list(topics)
        self._names = ", ".join(topics)
        self._check, self._silence = check, silence
        self._trouble: KafkaError | None = None
        self._admin = AdminClient(kafka.admin_settings(settings))
        options = kafka.consumer_settings(settings, group_id="reads-only", enable_partition_eof=True)
        self._consumer = Consumer(options)
        try:
            places = self._places(topics, starts or {})
        except BaseException:
            self._consumer.close()
            raise
        #: By topic and partition the offset that is read next.
        self._next = {(place.topic, place.partition): place.offset for place in places}
        self._consumer.assign(places)

    def _places(self, topics: Sequence[str], starts: Mapping[tuple[str, int], int]) -> list[TopicPartition]:
        """Where to begin in each partition of each topic."""
        try:
            # Asked for by name, a topic could be made by the broker itself.
            found = self._consumer.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            raise self._stopped(error.args[0]) from error
        for topic in topics:
            if topic not in found:
                raise Stop(f"there is no topic {topic}", "`ringback topics list` shows the names", RUNTIME)
        return [
            TopicPartition(topic, number, starts.get((topic, number), 0))
            for topic in topics
            for number in found[topic].partitions
        ]

    def more(self) -> Iterator[Message]:
        """What has come, at most `BATCH` records; after a moment, when there is nothing, that."""
        self._check()
        try:
            messages = self._consumer.consume(BATCH, POLL_SECONDS)
        except KafkaException as exception:
            raise self._stopped(exception.args[0]) from exception
        for message in messages:
            error = message.error()
            place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
            if error is None:
                self._next[place] = offset + 1
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                # Behind what is no record too: the ends of transactions, and what they have given up.
                self._next[place] = max(offset, self._next[place])
            elif error.retriable() or error.code() in PASSING:
                self._trouble = error
            else:
                raise self._stopped(error)

    def to_end(self, *, pending: bool = False) -> Iterator[Message]:
        """What is left up to the end of each topic as it is now. `pending`: also what lies in transactions that have
        not ended, when they have.
        """
        ends = self._ends(IsolationLevel.READ_UNCOMMITTED if pending else IsolationLevel.READ_COMMITTED)
        heard = time.monotonic()
        while any(self._next[place] < end for place, end in ends.items()):
            before = dict(self._next)
            yield from self.more()
            if self._next != before:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._silence:
                raise self._silent()

    def _ends(self, level: IsolationLevel) -> dict[tuple[str, int], int]:
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in self._next}  # type: ignore[no-untyped-call]
        deadline = time.monotonic() + self._silence
        while asked:
            found = self._admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_SECONDS)
            try:
                return {(place.topic, place.partition): one.result().offset for place, one in found.items()}
            except KafkaException as error:
                self._check()
                if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                    raise self._stopped(error.args[0]) from error
                time.sleep(POLL_SECONDS)
        return {}

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _silent(self) -> Stop:
        why = f": {self._trouble.str()}" if self._trouble else ""
        return Stop(f"nothing was heard of {self._names} for {self._silence:g} s{why}", "is Kafka there?", RUNTIME)

    def _stopped(self, error: KafkaError) -> Stop:
        return Stop(f"{self._names} cannot be read: {error.str()}", "is Kafka there?", RUNTIME)
