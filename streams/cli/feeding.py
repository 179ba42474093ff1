"""Getting records into a topic, fast and each one once."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings

#: What may wait in memory for the broker: enough to keep it busy, too little to notice.
QUEUE_RECORDS = 200_000
QUEUE_KBYTES = 64 * 1024
LINGER_MS = 20
#: Keys, headers and the batch around a record of the largest size.
OVERHEAD_BYTES = 64 * 1024


class Feeder:
    """Writes keyed records to one topic, in order and without duplicates. Used by one thread.

    `timeout` is how many seconds the broker may be away before a record counts as lost.
    """

    def __init__(
        self, settings: Settings, topic: str, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._topic = topic
        self._clock = clock
        self._failure: str | None = None
        self._failed = 0
        self._taken = 0
        self._producer = Producer(
            kafka.producer_settings(
                settings,
                linger_ms=LINGER_MS,
                queue_buffering_max_messages=QUEUE_RECORDS,
                queue_buffering_max_kbytes=QUEUE_KBYTES,
                message_max_bytes=settings.max_record_bytes + OVERHEAD_BYTES,
                message_timeout_ms=max(1_000, int(timeout * 1_000)),
                # A report for each record that went well would cost more than sending it.
                delivery_report_only_error=True,
                on_delivery=self._lost,
            )
        )

    def send(self, key: str, value: bytes) -> None:
        """Hand a record over. Blocks while too many wait; raises `Stop` when the broker does not take them any more."""
        while True:
            try:
                self._producer.produce(self._topic, value, key)
                break
            except BufferError:
                self._producer.poll(0.1)
                self._check()
            except KafkaException as error:
                raise Stop(f"{self._topic}: a record cannot be sent: {error.args[0].str()}") from error
        self._taken += 1
        if self._taken % 1_000 == 0:
            self._producer.poll(0)
            self._check()

    def wait_until(self, moment: float) -> None:
        """Sleep until `moment` of the clock, while records are being sent."""
        while (left := moment - self._clock()) > 0:
            self._producer.poll(min(left, 0.1))
            self._check()

    def finish(self) -> int:
        """Send what waits; the number of records that Kafka has. Raises `Stop` when some were lost."""
        while self._producer.flush(0.5):
            self._check()
        self._check()
        return self._taken

    def _lost(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed += 1
            self._failure = self._failure or error.str()

    def _check(self) -> None:
        if self._failure is None:
            return
        self._producer.purge()
        self._producer.flush(1)
        raise Stop(
            f"{self._topic}: Kafka has stopped taking records: {self._failure} "
            f"({self._taken - self._failed:,} records are in the topic)",
            "feed the file again when Kafka is well: records with an `id` that are already there count as duplicates",
        )
