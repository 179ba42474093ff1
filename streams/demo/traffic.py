"""The simulator at work: its records go into the input topics, so many a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams import kafka
from streams.demo.simulator import Planned
from streams.errors import Stop
from streams.settings import Settings

LINGER_MS = 5
FLUSH_SECONDS = 30.0


class Traffic:
    """Used by one thread. `topics`: where installs and events go. The producer's own clock is not asked: the topics
    stamp what they take.
    """

    def __init__(
        self, settings: Settings, topics: Mapping[Literal["install", "event"], str], planned: Iterator[Planned]
    ) -> None:
        self._producer = Producer(kafka.producer_settings(settings, linger_ms=LINGER_MS, on_delivery=self._delivered))
        self._topics = topics
        self._planned = planned
        self._failure = ""
        self.sent = 0

    def send_up_to(self, number: int) -> None:
        """Send what is missing of the first `number` records. Raises `Stop` when Kafka does not take them."""
        while self.sent < number and (one := next(self._planned, None)) is not None:
            try:
                self._producer.produce(self._topics[one.kind], one.value, one.key)
            except (BufferError, KafkaException) as error:
                raise Stop(f"the simulator cannot send: {error}") from error
            self.sent += 1
        self._producer.poll(0)
        self._check()

    def finish(self) -> None:
        """Blocks until Kafka has everything. Raises `Stop`."""
        left = self._producer.flush(FLUSH_SECONDS)
        self._check()
        if left:
            raise Stop(f"the simulator cannot send: {left:,} records were not taken within {FLUSH_SECONDS:.0f} s")

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error.str()

    def _check(self) -> None:
        if self._failure:
            raise Stop(f"the simulator cannot send: {self._failure}")
