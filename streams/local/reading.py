"""Topics as any reader sees them: what is committed, from the beginning on, as a member of no group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams import kafka
from streams.errors import RUNTIME, Stop
from streams.settings import Settings

ASK_SECONDS = 10.0
POLL_SECONDS = 0.1
BATCH = 5_000


class Reader:
    """Reads topics from their beginning. All methods but `close` block and raise `Stop`; used by one thread."""

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        topics = list(topics)
        self._names = ", ".join(topics)
        options = kafka.consumer_settings(settings, group_id="reads-only", enable_partition_eof=True)
        self._consumer = Consumer(options)
        try:
            places = [TopicPartition(topic, number, 0) for topic in topics for number in self._partitions(topic)]
        except BaseException:
            self._consumer.close()
            raise
        self._unread = {(place.topic, place.partition) for place in places}
        self._consumer.assign(places)

    def _partitions(self, topic: str) -> list[int]:
        try:
            # Asked for by name, a topic could be made by the broker itself.
            found = self._consumer.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            raise self._stopped(error.args[0]) from error
        if topic not in found:
            raise Stop(f"there is no topic {topic}", "`ringback topics list` shows the names", RUNTIME)
        return list(found[topic].partitions)

    def more(self) -> Iterator[Message]:
        """What has come, at most `BATCH` records; after a moment, when there is nothing, that."""
        try:
            messages = self._consumer.consume(BATCH, POLL_SECONDS)
        except KafkaException as exception:
            raise self._stopped(exception.args[0]) from exception
        for message in messages:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                self._unread.discard((message.topic() or "", message.partition() or 0))
            elif not error.retriable():
                raise self._stopped(error)

    def to_end(self) -> Iterator[Message]:
        """Everything up to the end of each topic, as it was when it was reached first."""
        while self._unread:
            yield from self.more()

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stopped(self, error: KafkaError) -> Stop:
        return Stop(f"{self._names} cannot be read: {error.str()}", "is Kafka there?", RUNTIME)
