"""The control topic: pauses and holds of partners and postbacks, written by operators and senders, followed by every
sender.

A pause's key is `partner/<id>` or `postback/<id>`, a hold's has `hold/` before it; the last record of a key wins and a
tombstone clears it. Who follows is told of both as one `Control`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.control import Control, Records, Target, TargetKind, Unreadable, decode, encode
from streams import kafka, logs
from streams.config.compacted import TopicFollower, Unreachable, read_to_end
from streams.errors import Stop
from streams.settings import Settings

log = logs.get(__name__)

WRITE_SECONDS = 30.0


class ControlFollower:
    """Keeps every pause and hold that is in force.

    `on_change` is called from the follower's thread for each target whose control changes (None: let go), those found
    at the start included: of the past only what still holds is told. That a target is let go is told whenever it is
    written, also of one that was free already: who follows may hold it by itself. `on_error` is called for a record
    that cannot be read, which changes nothing. Neither may raise; what they raise is logged.
    """

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[Target, Control | None], None],
        on_error: Callable[[Unreadable], None],
    ) -> None:
        self._on_change = on_change
        self._on_error = on_error
        self._told: dict[Target, Control] = {}
        self._caught_up = threading.Event()
        self._follower = TopicFollower(settings, kafka.Topics(settings.topic_prefix).control, self)
        self.restart()

    @property
    def current(self) -> Mapping[Target, Control]:
        """What is in force. May be asked from any thread."""
        return dict(self._told)

    @property
    def alive(self) -> bool:
        """Whether the topic is being followed."""
        return self._follower.alive

    def start(self) -> None:
        """Begin to follow. Returns at once; an absent broker or topic is waited for."""
        self._follower.start()

    def wait_caught_up(self, timeout: float | None = None) -> bool:
        """Block until everything that was in the topic has been told; false when `timeout` seconds passed first."""
        return self._caught_up.wait(timeout)

    def stop(self) -> None:
        """End the thread; no callback is made after it returns."""
        self._follower.stop()

    # What the follower of the topic calls, from its thread.

    def restart(self) -> None:
        self._records = Records()
        self._past = True

    def record(self, key: bytes | None, value: bytes | None) -> None:
        try:
            entry = decode(key, value)
        except Unreadable as error:
            unreadable = error
            log.error("a control record cannot be read", error=str(error))
            self._call(lambda: self._on_error(unreadable))
            return
        self._records.take(entry)
        if not self._past:
            self._tell(entry.target, self._records.of(entry.target))

    def caught_up(self) -> None:
        if not self._past:
            return
        self._past = False
        there = self._records.targets()
        for gone in self._told.keys() - set(there):
            self._tell(gone, None)
        for target in there:
            self._tell(target, self._records.of(target))
        self._caught_up.set()

    def _tell(self, target: Target, control: Control | None) -> None:
        if control is not None and self._told.get(target) == control:
            return
        # A new mapping each time, so that another thread never sees one change under its hands.
        told = {other: held for other, held in self._told.items() if other != target}
        self._told = told if control is None else {**told, target: control}
        self._call(lambda: self._on_change(target, control))

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            log.exception("telling of a control record failed")


def read_records(settings: Settings, timeout: float = WRITE_SECONDS) -> Records:
    """Every pause and hold in the topic, record by record.

    Blocks; raises `streams.errors.Stop`. Records that cannot be read are left out.
    """
    found = Records()
    for key, value in read_to_end(settings, kafka.Topics(settings.topic_prefix).control, timeout):
        try:
            found.take(decode(key, value))
        except Unreadable as error:
            log.error("a control record cannot be read", error=str(error))
    return found


def read_controls(settings: Settings, timeout: float = WRITE_SECONDS) -> dict[Target, Control]:
    """What is in force for each target: pause and hold as one. See `read_records`."""
    found = read_records(settings, timeout)
    return {target: control for target in found.targets() if (control := found.of(target)) is not None}


def write_control(
    settings: Settings, kind: TargetKind, name: str, control: Control | None, timeout: float = WRITE_SECONDS
) -> None:
    """Have the topic say just this of a target: its pause, its hold, or (None) nothing. See `write_records`."""
    target, said = Target(kind, name), control or Control()
    pause = Control(paused=True, reason=said.reason, since=said.since) if said.paused else None
    hold = Control(hold_until=said.hold_until, reason=said.reason, since=said.since) if said.hold_until else None
    write_records(settings, [encode(target, hold, "hold"), encode(target, pause)], timeout)


def write_records(
    settings: Settings, records: Iterable[tuple[bytes, bytes | None]], timeout: float = WRITE_SECONDS
) -> None:
    """Write records that `encode` made, in their order. Blocks until Kafka has them; raises `streams.errors.Stop` when
    it does not take them in time.

    Makes a producer of its own, so it is for operators' commands; a sender writes with the producer it has.
    """
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(error)

    topic = kafka.Topics(settings.topic_prefix).control
    producer = Producer(
        kafka.producer_settings(settings, message_timeout_ms=int(timeout * 1000), error_cb=lambda _error: None)
    )
    try:
        for key, value in records:
            producer.produce(topic, value=value, key=key, partition=0, on_delivery=delivered)
    except (KafkaException, BufferError) as error:
        raise Stop(f"the control record could not be written: {error}") from error
    if producer.flush(timeout + 1) or failures:
        raise Unreachable(settings, failures[0].str() if failures else "no answer")
