"""The records go into the input topics, always more than the workers have read, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings
from streams.torture.history import Fed

TICK_SECONDS = 0.05
ASK_SECONDS = 1.0
ANSWER_SECONDS = 5.0
FLUSH_SECONDS = 120.0
#: Nothing has been heard of the workers' progress for so long.
UNKNOWN_SECONDS = 20.0
LINGER_MS = 5


class Feed:
    """Keeps up to `waiting` records ahead of what the workers have applied, and writes at most `rate` in a second."""

    def __init__(self, settings: Settings, records: Iterator[Fed], rate: int, waiting: int) -> None:
        self._settings, self._records, self._rate, self._most = settings, records, rate, waiting
        self._topics = {kind: f"{settings.topic_prefix}{kind}s" for kind in ("install", "event")}
        self._quiet = {"error_cb": lambda _error: None}
        self._producer = Producer(
            kafka.producer_settings(settings, linger_ms=LINGER_MS, on_delivery=self._delivered, **self._quiet)
        )
        # Of the workers' group by name only: it never joins, it asks what they have committed.
        self._asking = Consumer(kafka.consumer_settings(settings, group_id=settings.worker_id, **self._quiet))
        self._places = [
            TopicPartition(topic, number) for topic in self._topics.values() for number in range(settings.partitions)
        ]
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._over = threading.Event()
        self._failure = ""
        self._applied = 0
        #: When that was heard (monotonic seconds).
        self._known = time.monotonic()
        self.sent = 0

    @property
    def waiting(self) -> int:
        """About how many records have not been applied yet."""
        return max(0, self.sent - self._applied)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def check(self) -> None:
        """Raises `Stop` when Kafka did not take a record."""
        if self._failure:
            raise Stop(f"the records cannot be written: {self._failure}", "look at the brokers")

    def finish(self) -> None:
        """No more records; returns when Kafka has all that were sent. Blocks; raises `Stop`."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if left := self._producer.flush(FLUSH_SECONDS):
            raise Stop(f"{left:,} records were not taken within {FLUSH_SECONDS:.0f} s", "look at the brokers")
        self.check()

    def abandon(self) -> None:
        """No more records, whatever becomes of those on their way."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2 * ANSWER_SECONDS)
        self._producer.purge()
        # A producer that is still there would have deleted topics made anew.
        self._producer.close()
        self._asking.close()

    def _run(self) -> None:
        asked = last = time.monotonic()
        owed = 0.0
        while not self._over.wait(TICK_SECONDS):
            now = time.monotonic()
            owed = min(owed + (now - last) * self._rate, self._rate)
            last = now
            room = min(int(owed), self._most - self.waiting)
            if now - self._known > UNKNOWN_SECONDS:
                # Better too many than none: workers that have nothing to do come to no fault point.
                room = int(owed) // 8
            for _ in range(max(0, room)):
                self._send(next(self._records))
            owed -= max(0, room)
            self._producer.poll(0)
            if now - asked >= ASK_SECONDS:
                asked = now
                self._ask()

    def _send(self, fed: Fed) -> None:
        while not self._over.is_set():
            try:
                self._producer.produce(self._topics[fed.kind], fed.value, fed.key)
                self.sent += 1
                return
            except BufferError:
                self._producer.poll(0.1)

    def _ask(self) -> None:
        """How much the group has committed; what is not known stays as it was."""
        try:
            places = self._asking.committed(self._places, timeout=ANSWER_SECONDS)
        except KafkaException:
            return
        self._known = time.monotonic()
        self._applied = max(self._applied, sum(max(0, one.offset) for one in places))

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error.str()
