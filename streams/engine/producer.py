"""What the engine writes to Kafka: a transactional producer per partition, and one plain producer for barriers.

All methods block; the engine calls them in threads.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams import kafka
from streams.settings import Settings

log = logging.getLogger(__name__)

#: An abandoned transaction hides what follows it from read-committed readers for so long.
TRANSACTION_TIMEOUT_MS = 10_000
CALL_TIMEOUT_S = 10.0
#: A transaction that is given up sooner than this (seconds) was refused; later, it found no broker in time.
REFUSED_S = 5.0
#: One that was refused is written again so often, one that found no broker for as long as it takes.
TRIES = 5
#: An abort that meets the failure it is to clear up is made again so often, with a pause (seconds).
ABORT_TRIES = 50
ABORT_PAUSE_S = 0.1


class Place(NamedTuple):
    """Where a record came to lie, the append time the broker gave it (of a topic with LogAppendTime), and the
    monotonic second at
    which that was heard."""

    offset: int
    appended: int
    heard: float


class Fenced(Exception):
    """This producer may not write any more, and whether its last transaction happened only the log can tell.

    Somebody else writes for the partition now; or the brokers gave the transaction up while they could not be reached.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        #: What was counted of transactions before it that belong to the same batch.
        self.done: Counter[tuple[str, ...]] = Counter()


#: Is told, from any thread, that the brokers made a call wait or be made again: which one it was.
Trouble = Callable[[str], None]


def untold(call: str) -> None:
    """Nobody wants to know."""


class Refused(Exception):
    """The brokers refuse this transaction again and again: a record is too large for its topic, or a right is missing.
    It did not happen; to try it once more changes nothing.
    """


#: A record to produce: topic, key, value (None deletes the key from a compacted topic), and the partition that it goes
#: to (None: the writer's own number).
Row = tuple[str, bytes | None, bytes | None, int | None]


class TransactionalProducer:
    """The one writer of a partition of a stage. A newer one with the same id fences this one off. `partition` is where
    its records go, unless they say otherwise; `queued`: bytes that it holds at most until the brokers have them.
    """

    def __init__(
        self,
        settings: Settings,
        transactional_id: str,
        partition: int,
        trouble: Trouble = untold,
        queued: int = 64 << 20,
    ) -> None:
        self.transactional_id = transactional_id
        self._partition, self._trouble = partition, trouble
        self._producer = Producer(
            kafka.producer_settings(
                settings,
                transactional_id=transactional_id,
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
                queue_buffering_max_messages=1_000_000,
                queue_buffering_max_kbytes=queued >> 10,
                # The commit sends what is waiting at once: until then a transaction's records are gathered into few
                # and large requests (a third less work for the brokers than with 0, measured).
                linger_ms=50,
                message_max_bytes=8_000_000,
            )
        )

    def start(self, stopped: Callable[[], bool]) -> None:
        """Fence off whoever wrote for this partition before; their open transaction is over when this returns.

        Tries for as long as the brokers are away and `stopped()` is false. Raises KafkaException otherwise.
        """
        while True:
            try:
                self._producer.init_transactions(CALL_TIMEOUT_S)
                return
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if stopped() or not error.retriable():
                    raise
                self._trouble("start")
                log.warning("%s: waiting for the transaction coordinator: %s", self.transactional_id, error.str())

    def write(self, rows: Iterable[Row], last: Row, on_step: Callable[[str], None]) -> Place:
        """Write `rows`, then `last`, in one transaction; where `last` came to lie.

        When it returns, everything is committed. A transaction that is given up because the brokers are away is written
        again from its beginning until they are back; raises `Fenced` when another process has taken over, and `Refused`
        when the brokers refuse it again and again.
        """
        rows = list(rows)
        refused = 0
        while True:
            begun = time.monotonic()
            try:
                return self._transaction(rows, last, on_step)
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                refused += time.monotonic() - begun < REFUSED_S
                told = f"{self.transactional_id}: {error.name()}: {error.str()}"
                if error.fatal() or not error.txn_requires_abort():
                    raise Fenced(told) from exception
                if refused >= TRIES:
                    raise Refused(told) from exception
                self._trouble("transaction")
                log.warning("%s: the transaction is written again: %s", self.transactional_id, error.str())
                self._abort()

    def _transaction(self, rows: list[Row], last: Row, on_step: Callable[[str], None]) -> Place:
        placed: list[Place] = []
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)
            else:
                placed.append(_place(message))

        self._producer.begin_transaction()
        on_step("begun")
        produce, own = self._producer.produce, self._partition
        for topic, key, value, partition in rows:
            place = own if partition is None else partition
            try:
                produce(topic, value, key, place)
            except BufferError:
                self._insist(topic, value, key, place)
        topic, key, value, partition = last
        self._insist(topic, value, key, own if partition is None else partition, on_delivery=on_delivery)
        on_step("produced")
        self._commit()
        while not placed and not failed:
            self._producer.poll(0.01)
        if failed:
            raise Fenced(f"{self.transactional_id}: committed, but its last record failed: {failed[0].str()}")
        return placed[0]

    def _insist(self, *arguments: Any, **more: Any) -> None:
        """Produce, waiting while the client's queue is full: a batch may have more jobs than it holds."""
        while True:
            try:
                self._producer.produce(*arguments, **more)
                return
            except BufferError:
                # What cannot be written ends with the transaction's time, and makes room.
                self._producer.poll(0.05)

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(CALL_TIMEOUT_S)
                return
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if not error.retriable():
                    raise
                # The outcome is open until a call gives it: the same call again continues it.
                self._trouble("commit")
                log.warning("%s: waiting for the commit: %s", self.transactional_id, error.str())

    def _abort(self) -> None:
        left = ABORT_TRIES
        while True:
            try:
                self._producer.abort_transaction(CALL_TIMEOUT_S)
                return
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                left -= 1
                # The client may still be at the failure that the abort is to clear up, and then answers with it.
                again = error.txn_requires_abort() and not error.fatal() and left
                if not error.retriable() and not again:
                    raise Fenced(f"{self.transactional_id}: {error.name()}: {error.str()}") from exception
                self._trouble("abort")
                log.warning("%s: waiting for the abort: %s", self.transactional_id, error.str())
                if again:
                    time.sleep(ABORT_PAUSE_S)


class BarrierProducer:
    """Writes plain records, outside of any transaction, and waits until they are there. Safe to use from several
    threads.
    """

    def __init__(self, settings: Settings, trouble: Trouble = untold) -> None:
        self._producer = Producer(kafka.producer_settings(settings, linger_ms=0))
        self._trouble = trouble

    def write(self, topic: str, partition: int, key: bytes, value: bytes, stopped: Callable[[], bool]) -> Place:
        """Where the record lies. Waits while the brokers are away and `stopped()` is false; raises KafkaException."""
        while True:
            result: list[Place | KafkaError] = []

            def on_delivery(
                error: KafkaError | None, message: Message, result: list[Place | KafkaError] = result
            ) -> None:
                result.append(error if error is not None else _place(message))

            self._producer.produce(topic, value, key, partition, on_delivery=on_delivery)
            while not result:
                self._producer.poll(0.05)
                if stopped():
                    raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
            outcome = result[0]
            if isinstance(outcome, Place):
                return outcome
            if not outcome.retriable() and outcome.code() != KafkaError._MSG_TIMED_OUT:
                raise KafkaException(outcome)
            self._trouble("barrier")
            log.warning("%s partition %d: the barrier is written again: %s", topic, partition, outcome.str())
            time.sleep(0.2)


def _place(message: Message) -> Place:
    return Place(message.offset() or 0, message.timestamp()[1], time.monotonic())
