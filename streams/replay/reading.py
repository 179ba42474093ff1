"""The input topics up to their ends as they are now: read committed, partition by partition, as a member of no group.

Nothing is written, committed or made, and no more is kept in memory than what is fetched at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.config import Source
from streams import kafka, topics
from streams.engine.raw import Raw
from streams.errors import Stop
from streams.settings import Settings

ASK_SECONDS = 10.0
POLL_SECONDS = 0.1
#: Records that are fetched at once, and kilobytes that a consumer keeps ahead.
FETCH = 5_000
AHEAD_KIB = 16_384
#: Whoever reads to an end hears something within so many seconds, or there is nobody to hear from.
SILENCE_SECONDS = 30.0

REMEDY = "is Kafka there?"


#: A partition's leader is another one by now, or will be in a moment.
MOVING = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class Span(NamedTuple):
    """The offsets of a partition that are read: from `first` on, `end` excluded."""

    first: int
    end: int


class Inputs:
    """The topics of some sources. All methods block and raise `Stop`; used by one thread. Close it at the end.

    `partitions`: how many each has. `missing`: sources whose topics do not exist; they have no records.
    """

    def __init__(self, settings: Settings, sources: Iterable[Source], *, silence: float = SILENCE_SECONDS) -> None:
        self._settings, self._silence = settings, silence
        self._admin = AdminClient(kafka.admin_settings(settings, error_cb=lambda _error: None))
        names = dict.fromkeys(source.topic for source in sources)
        found = {name: one.partitions for name, one in topics.look(self._admin, names).items()}
        self.missing = tuple(name for name in names if name not in found)
        self.topics = tuple(found)
        self.partitions = _common(found)
        self.spans = self._spans()
        self._consumers: dict[str, Consumer] = {}

    @property
    def total(self) -> int:
        """About how many records there are: offsets that transactions and compaction use up count too."""
        return sum(span.end - span.first for span in self.spans.values())

    def _spans(self) -> dict[tuple[str, int], Span]:
        places = [(topic, number) for topic in self.topics for number in range(self.partitions)]
        first = self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        end = self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {place: Span(first[place], end[place]) for place in places}

    def _offsets(self, places: Sequence[tuple[str, int]], spec: Any) -> dict[tuple[str, int], int]:
        asked = {TopicPartition(*place): spec for place in places}
        if not asked:
            return {}
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            try:
                found = self._admin.list_offsets(
                    asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ASK_SECONDS
                )
                return {(place.topic, place.partition): one.result().offset for place, one in found.items()}
            except KafkaException as error:
                if error.args[0].code() not in MOVING or time.monotonic() > deadline:
                    raise Stop(f"the input topics cannot be read: {error.args[0].str()}", REMEDY) from error
            time.sleep(POLL_SECONDS)

    def column(self, number: int, named: Iterable[str] | None = None) -> Column:
        """The partitions of this number, of these topics (None: of all), from their beginning. Ends the one before."""
        wanted = [topic for topic in self.topics if named is None or topic in named]
        for topic in wanted:
            if topic not in self._consumers:
                self._consumers[topic] = self._consumer()
        consumers = {topic: self._consumers[topic] for topic in wanted}
        return Column(number, consumers, {topic: self.spans[topic, number] for topic in wanted}, self._silence)

    def _consumer(self) -> Consumer:
        """Without a group it needs the name of one all the same; nothing is ever committed under it."""
        return Consumer(
            kafka.consumer_settings(
                self._settings,
                group_id="reads-only",
                enable_partition_eof=True,
                allow_auto_create_topics=False,
                queued_max_messages_kbytes=AHEAD_KIB,
                error_cb=lambda _error: None,
            )
        )

    def close(self) -> None:
        """Let go of the brokers."""
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Column:
    """The partitions of one number, one of each topic, while they are read."""

    def __init__(
        self, number: int, consumers: dict[str, Consumer], spans: dict[str, Span], silence: float = SILENCE_SECONDS
    ) -> None:
        self.number = number
        self._consumers, self._spans, self._silence = consumers, spans, silence
        self._position = {topic: span.first for topic, span in spans.items()}
        #: By topic the latest append time that has been read.
        self._read_to = dict.fromkeys(spans, -1)
        for topic, consumer in consumers.items():
            # Also what is read of no more: the consumer may still be at another partition of it.
            empty = spans[topic].first >= spans[topic].end
            consumer.assign([] if empty else [TopicPartition(topic, number, spans[topic].first)])

    def behind(self) -> str | None:
        """The topic that has been read least far, by append time; None when all have been read to their ends. Whoever
        reads this one next keeps no more of the others than what was fetched at once.
        """
        left = [topic for topic, span in self._spans.items() if self._position[topic] < span.end]
        return min(left, key=self._read_to.__getitem__, default=None)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read."""
        return tuple(self._spans)

    def at_end(self, topic: str) -> bool:
        """Whether everything of the topic has been read."""
        return self._position[topic] >= self._spans[topic].end

    def next(self, topic: str) -> list[Message]:
        """The next records of a topic in the order of their offsets; none when there is none left."""
        heard = time.monotonic()
        trouble = ""
        while not self.at_end(topic):
            try:
                messages = self._consumers[topic].consume(FETCH, POLL_SECONDS)
            except KafkaException as error:
                raise _unreadable(topic, error.args[0].str()) from error
            before = self._position[topic]
            found = [message for message in messages if self._is_record(topic, message)]
            if found:
                last = found[-1].timestamp()[1]
                self._read_to[topic] = max(self._read_to[topic], last)
                return found
            trouble = _trouble(messages) or trouble
            if self._position[topic] > before:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._silence:
                raise _unreadable(topic, trouble or f"nothing was heard for {self._silence:g} s")
        return []

    def _is_record(self, topic: str, message: Message) -> bool:
        """Notes how far the topic has been read; raises `Stop` for an error that waiting does not mend."""
        if message.partition() != self.number and message.error() is None:
            return False
        error, offset, end = message.error(), message.offset() or 0, self._spans[topic].end
        if error is None:
            self._position[topic] = max(self._position[topic], offset + 1)
            return offset < end
        if error.code() == KafkaError._PARTITION_EOF:
            if message.partition() == self.number:
                # Behind what is no record too: the ends of transactions, and what they have given up.
                self._position[topic] = max(self._position[topic], offset)
        elif not error.retriable() and error.code() not in PASSING:
            raise _unreadable(topic, error.str())
        return False


#: The client mends these by itself.
PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT})


def _trouble(messages: Iterable[Message]) -> str:
    errors = (message.error() for message in messages)
    return next((one.str() for one in errors if one is not None and one.code() != KafkaError._PARTITION_EOF), "")


def _common(found: dict[str, int]) -> int:
    """How many partitions the topics have. Raises `Stop` when they differ."""
    counts = set(found.values())
    if len(counts) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in found.items())
        raise Stop(
            f"the input topics differ in their number of partitions: {told}",
            "a worker refuses them too: give all of them the same number",
        )
    return counts.pop() if counts else 0


def _unreadable(topic: str, why: str) -> Stop:
    return Stop(f"{topic} cannot be read: {why}", REMEDY)


def raws(messages: Iterable[Message], source: Source, number: int) -> list[Raw]:
    """Records as the engine takes them."""
    return [_raw(message, source, number) for message in messages]


def _raw(message: Message, source: Source, number: int) -> Raw:
    place = (source.topic, number, message.offset() or 0, message.timestamp()[1])
    return Raw(*place, message.key(), message.value(), source)


#: Says how far a reading has come: records so far, and about how many there are.
Tell = Callable[[int, int], None]
