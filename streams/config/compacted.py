"""Reading a compacted topic of one partition whole: once to its end, or for as long as the process lives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams import kafka, logs
from streams.clock import Clock, SystemClock
from streams.errors import Stop
from streams.settings import Settings

log = logs.get(__name__)

#: How long a stop, or a record, may have to wait for the thread to look.
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
ASKING_SECONDS = 2.0
#: A reader is gone in a moment; a follower stays, and what it asks adds up over all processes.
READING_WAIT_MS = 20
FOLLOWING_WAIT_MS = 500
#: An outage is logged this often, not at each of the client's attempts.
REMINDER_SECONDS = 60.0

MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})
#: The client mends these by itself; it only wants to be polled.
PASSING = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT})
END = KafkaError._PARTITION_EOF


class MissingTopic(Stop):
    """A topic of ours does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"the topic {topic} does not exist", "make the topics with `ringback topics create`")
        self.topic = topic


class Unreachable(Stop):
    """Kafka did not answer in time."""

    def __init__(self, settings: Settings, detail: str) -> None:
        super().__init__(
            f"Kafka at {settings.bootstrap_servers} does not answer: {detail}",
            "start it, or set RINGBACK_BOOTSTRAP_SERVERS to where it is",
        )


def open_reader(settings: Settings, topic: str, wait_ms: int) -> Consumer:
    """A consumer that stands at the beginning of `topic`, sees committed records only and reports the end.

    The end is reported when the broker had nothing new for `wait_ms`; a new record is not held back by it.
    """
    # Without a group it needs the name of one all the same; nothing is ever committed under it.
    consumer = Consumer(
        kafka.consumer_settings(
            settings,
            group_id=f"{settings.topic_prefix}reader",
            enable_partition_eof=True,
            allow_auto_create_topics=False,
            topic_metadata_propagation_max_ms=1_000,
            topic_metadata_refresh_interval_ms=10_000,
            fetch_wait_max_ms=wait_ms,
            error_cb=lambda _error: None,
        )
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    return consumer


def exists(consumer: Consumer, topic: str, timeout: float) -> bool:
    """Whether the topic exists; the client itself would wait for it without a word. Blocks; raises KafkaException."""
    # Asked for by name, it could be made by the broker, with the broker's defaults.
    return topic in consumer.list_topics(timeout=timeout).topics


def read_to_end(
    settings: Settings, topic: str, timeout: float, clock: Clock | None = None
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Every committed record up to the topic's end, as key and value.

    Blocks; raises `MissingTopic` or `Unreachable` after `timeout` seconds.
    """
    clock = clock or SystemClock()
    deadline = clock.monotonic() + timeout
    consumer = open_reader(settings, topic, READING_WAIT_MS)
    detail = "no answer"
    try:
        if not exists(consumer, topic, timeout):
            raise MissingTopic(topic)
        while clock.monotonic() < deadline:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield message.key(), message.value()
                continue
            if error.code() == END:
                return
            detail = error.str()
            _raise_if_lasting(topic, error)
        raise Unreachable(settings, detail)
    except KafkaException as unanswered:
        raise Unreachable(settings, unanswered.args[0].str()) from unanswered
    finally:
        consumer.close()


def _raise_if_lasting(topic: str, error: KafkaError) -> None:
    if error.code() in MISSING:
        raise MissingTopic(topic)
    if error.code() not in PASSING:
        raise Stop(f"the topic {topic} cannot be read: {error.str()}")


class Sink(Protocol):
    """What a `TopicFollower` tells, always from its own thread."""

    def restart(self) -> None:
        """The topic is about to be read from its beginning; what was learned before is not repeated."""

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """The next record."""

    def caught_up(self) -> None:
        """Every record there was has been told."""


class TopicFollower:
    """A thread that reads a topic from its beginning and then whatever is added to it, until `stop`.

    While the broker is away or the topic missing it waits and says so in the log; when the client gives up it starts
    again. A `Sink` must not raise: an error of its own ends the thread with a line in the log and `alive` false.
    """

    def __init__(self, settings: Settings, topic: str, sink: Sink, clock: Clock | None = None) -> None:
        self._settings = settings
        self._topic = topic
        self._sink = sink
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        self._reminded = -REMINDER_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"follow {topic}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the topic is being followed."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; returns when it has ended, at most `timeout` seconds later. May be called more than once."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._sink.restart()
                self._follow()
                self._stopping.wait(RETRY_SECONDS)
        except Exception:
            log.exception("following a topic ended", topic=self._topic)

    def _follow(self) -> None:
        """Read until told to stop, or until the client must be made anew."""
        try:
            consumer = open_reader(self._settings, self._topic, FOLLOWING_WAIT_MS)
        except KafkaException as refused:
            self._remind("a topic cannot be followed", error=str(refused))
            return
        try:
            if not self._is_there(consumer):
                return
            while not self._stopping.is_set():
                message = consumer.poll(POLL_SECONDS)
                if message is not None and not self._take(message):
                    return
        finally:
            consumer.close()

    def _take(self, message: Message) -> bool:
        """Tell the sink. False when the client must be made anew."""
        error = message.error()
        if error is None:
            self._sink.record(message.key(), message.value())
            return True
        if error.code() == END:
            self._sink.caught_up()
            return True
        if error.code() in PASSING:
            self._remind("Kafka does not answer", error=error.str())
            return True
        self._remind(
            "a topic does not exist" if error.code() in MISSING else "a topic cannot be read", error=error.str()
        )
        return False

    def _is_there(self, consumer: Consumer) -> bool:
        """False when the topic certainly does not exist. Without an answer the client is left to find it."""
        try:
            found = exists(consumer, self._topic, ASKING_SECONDS)
        except KafkaException as error:
            self._remind("Kafka does not answer", error=error.args[0].str())
            return True
        if not found:
            self._remind("a topic does not exist yet")
        return found

    def _remind(self, event: str, **more: str) -> None:
        now = self._clock.monotonic()
        if now - self._reminded >= REMINDER_SECONDS:
            self._reminded = now
            log.warning(event, topic=self._topic, bootstrap=self._settings.bootstrap_servers, **more)
