"""The jobs go into the delivery topic, a part of them before each incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from streams import kafka
from streams.clock import SystemClock
from streams.errors import Stop
from streams.settings import Settings
from streams.torture.delivery.judging import Due
from streams.torture.delivery.orders import Order, decided

FLUSH_SECONDS = 120.0
#: How many are written between two looks at what the client has to say.
TURN = 500

_encode = msgspec.json.Encoder().encode


class Load:
    """Used by one thread; all methods block. `ask` says how many jobs wait, as far as that is known."""

    def __init__(
        self, settings: Settings, orders: Iterator[Order], part: int, url: str, generation: int,
        ask: Callable[[], int | None],
    ) -> None:  # fmt: skip
        self._topic = kafka.Topics(settings.topic_prefix).delivery
        self._orders, self._part, self._url, self._generation, self._ask = orders, part, url, generation, ask
        self._clock = SystemClock()
        self._failure = ""
        self._producer = Producer(
            kafka.producer_settings(settings, on_delivery=self._delivered, error_cb=lambda _error: None)
        )
        #: What was written: by job id.
        self.due: dict[str, Due] = {}

    @property
    def waiting(self) -> int:
        """See `Feeding`; with the part that is written next."""
        return (self._ask() or 0) + self._part

    def check(self) -> None:
        """See `Feeding`."""
        if self._failure:
            raise Stop(f"the jobs cannot be written: {self._failure}", "look at the brokers")

    def part(self) -> None:
        """The next part of the jobs."""
        self._write(islice(self._orders, self._part))

    def finish(self) -> None:
        """See `Feeding`: all that are left."""
        self._write(self._orders)

    def _write(self, orders: Iterator[Order]) -> None:
        for number, order in enumerate(orders):
            job = decided(order, self._url, self._generation, self._clock.now())
            self.due[job.job_id] = Due(order.partner, job.due_at, job.retry_attempts)
            self._produce(_encode(job), job.device_key.encode())
            if number % TURN == 0:
                self._producer.poll(0)
        if left := self._producer.flush(FLUSH_SECONDS):
            raise Stop(f"{left:,} jobs were not taken within {FLUSH_SECONDS:.0f} s", "look at the brokers")
        self.check()

    def _produce(self, value: bytes, key: bytes) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key)
                return
            except BufferError:
                self._producer.poll(0.1)

    def abandon(self) -> None:
        """No more, whatever becomes of those on their way."""
        self._producer.purge()
        self._producer.close()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error.str()
