"""Tells the other senders what this one takes of the partners' limits, and hears what they take.

Everything happens in the event loop that also sends, twenty times a second and without ever waiting for Kafka: what
may be used is known to whoever sends before the others are told of it. When it cannot be heard or told, it is logged
once a minute, and `shares` says what to do without.
"""

from __future__ import annotations

import asyncio
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas import presence
from streams import kafka, logs
from streams.clock import Clock
from streams.settings import Settings

from .sender import Sender
from .shares import Shares

log = logs.get(__name__)

LOOK_SECONDS = 0.05
#: How often it is counted what the lanes have to do.
WATCH_SECONDS = 0.25
#: So many messages are read of those that are there already: all of the last seconds, of some hundreds of processes.
BEFORE = 1_000
#: librdkafka's way to say "so many before the end".
TAIL = -2_000
BATCH = 1_000
#: What is not told by then would say nothing any more (ms).
TELL_MS = 2_000
#: To say good-bye may take so long (seconds): without it the others wait until we are not heard any more.
LEAVE_SECONDS = 0.5
RETRY_SECONDS = 5.0
REMINDER_SECONDS = 60.0
#: The client mends these by itself.
PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT})


class Agreement:
    """Keeps the parts that a `sender` uses up to date, for one membership in the group. Belongs to its event loop,
    `close` excepted.
    """

    def __init__(self, settings: Settings, sender: Sender, clock: Clock) -> None:
        self._settings = settings
        self._topic = kafka.Topics(settings.topic_prefix).senders
        self._sender = sender
        self._clock = clock
        self._shares = Shares(uuid.uuid4().hex, self._now())
        self._consumer: Consumer | None = None
        self._producer: Producer | None = None
        self._opens = self._watches = 0.0
        self._reminded = -REMINDER_SECONDS
        sender.shared(self._shares.part)

    def _now(self) -> int:
        return int(self._clock.monotonic() * 1000)

    async def run(self) -> None:
        """Follow and tell, for ever."""
        while True:
            if self._producer is None and self._clock.monotonic() >= self._opens:
                await asyncio.to_thread(self._open)
            try:
                self._turn()
            except Exception as error:
                # The limits are kept without it, if not as well.
                self._remind(str(error))
            await asyncio.sleep(LOOK_SECONDS)

    def _open(self) -> None:
        self._opens = self._clock.monotonic() + RETRY_SECONDS
        try:
            # In no group; nothing is ever committed under the name.
            self._consumer = Consumer(
                kafka.consumer_settings(
                    self._settings,
                    group_id=f"{self._settings.topic_prefix}reader",
                    allow_auto_create_topics=False,
                    fetch_wait_max_ms=500,
                    error_cb=lambda _error: None,
                )
            )
            self._consumer.assign([TopicPartition(self._topic, 0, TAIL - BEFORE)])
            self._producer = Producer(
                kafka.producer_settings(
                    self._settings,
                    # A repetition, or one that comes late, is known by its number.
                    enable_idempotence=False,
                    message_timeout_ms=TELL_MS,
                    allow_auto_create_topics=False,
                    linger_ms=0,
                    error_cb=lambda _error: None,
                )
            )
        except KafkaException as error:
            self._remind(str(error))
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _turn(self) -> None:
        shares, now = self._shares, self._now()
        shares.look(now)
        try:
            if self._consumer is not None:
                for message in self._consumer.consume(BATCH, 0):
                    self._hear(message, now)
        finally:
            said = self._follow(shares, now)
        if self._producer is not None:
            if said is not None:
                self._producer.produce(self._topic, presence.encode(said), partition=0, on_delivery=self._delivered)
            self._producer.poll(0)

    def _follow(self, shares: Shares, now: int) -> presence.Presence | None:
        """Use what is agreed by now, also when nothing can be heard any more: then it is less and less. What is to be
        told, if anything.
        """
        if (clock := self._clock.monotonic()) >= self._watches:
            self._watches = clock + WATCH_SECONDS
            shares.watch(*self._sender.work(), now)
        said = shares.say(now)
        if shares.changed:
            shares.changed = False
            self._sender.shared(shares.part)
        return said

    def _hear(self, message: Message, now: int) -> None:
        error = message.error()
        if error is not None:
            self._remind(error.str())
        elif (said := presence.decode(message.value())) is None:
            self._remind("a record cannot be read")
        else:
            self._shares.hear(said, message.offset() or 0, message.timestamp()[1], now)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and error.code() not in PASSING:
            self._remind(error.str())

    def _remind(self, reason: str) -> None:
        now = self._clock.monotonic()
        if now >= self._reminded + REMINDER_SECONDS:
            self._reminded = now
            log.warning("what the senders take of the limits cannot be agreed on", topic=self._topic, reason=reason)

    def close(self) -> None:
        """Leave: the others may take our part, so nothing may be sent any more. Blocks for a moment."""
        if self._producer is not None:
            try:
                self._producer.produce(self._topic, presence.encode(self._shares.leave()), partition=0)
                self._producer.flush(LEAVE_SECONDS)
            except (BufferError, KafkaException) as error:
                self._remind(str(error))
            self._producer.purge()
        if self._consumer is not None:
            self._consumer.close()
