"""What the engine writes to Kafka: transactions, by one producer of a process, and plain records, by another one.

All methods block; the engine calls them in threads.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams import kafka
from streams.engine import fate, hanging, tokens
from streams.engine.fate import Stopped, never
from streams.engine.hanging import Settled
from streams.engine.tokens import Token
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
#: A transaction that is to be thrown away has reached its partitions after so long (seconds), or is made again.
THROWN_S = 15.0
#: How long is flushed at once (seconds). Of 0.2 and more confluent-kafka makes several calls, and goes on with the
#: next when one of them has met a fatal error: what it then calls, the logger among them, runs with an exception
#: pending, and ends with an error of Python's own in the place of the client's (seen with 2.16).
FLUSH_S = 0.1
#: That a broker went away is heard within so long (seconds), and until then more is committed.
HEARD_S = 60.0
#: Within a transaction, what has become of the one before must be known after so long (seconds): it has a time itself.
FIRM_S = 5.0


class Place(NamedTuple):
    """Where a record came to lie, the append time the broker gave it (of a topic with LogAppendTime), and the
    monotonic second at which that was heard.
    """

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


class Write(NamedTuple):
    """What one partition has for a transaction: `rows`, and `last` behind them. `partition` is where they go, unless
    they say otherwise; `on_step` is told of each step.
    """

    partition: int
    rows: Sequence[Row]
    last: Row
    on_step: Callable[[str], None]

    @property
    def end(self) -> tuple[str, int]:
        """The partition that its last record goes to."""
        topic, _, _, partition = self.last
        return topic, self.partition if partition is None else partition


class _Departures:
    """Whether a broker went away since it was last certain that what was committed is there. An object of its own: what
    the client calls it keeps alive, and a producer that is let go of must be gone.
    """

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, error: KafkaError) -> None:
        self.seen = True


def _let_go(producer: Producer) -> None:
    """In a thread where it has to be waited for: the last reference may go in the event loop."""
    if len(producer):
        threading.Thread(target=kafka.let_go, args=[producer], name="letting go").start()


class TransactionalProducer:
    """Writes transactions. A newer one with the same id fences this one off. `queued`: bytes that it holds at most
    until the brokers have them.
    """

    def __init__(
        self, settings: Settings, transactional_id: str, trouble: Trouble = untold, queued: int = 64 << 20
    ) -> None:
        self.transactional_id = transactional_id
        self._settings, self._trouble = settings, trouble
        #: Of the newest committed transaction with something for a partition, as the brokers have said: where the last
        #: record lies.
        self._committed: dict[tuple[str, int], Place] = {}
        #: Which partitions these were in the newest one.
        self._newest: list[tuple[str, int]] = []
        #: The number of the newest transaction, which none under this id has had before, and where it has something.
        self._number = time.time_ns()
        self._touched: set[tuple[str, int]] = set()
        #: Where those before have something, and when they were committed (monotonic seconds).
        self._lately: dict[tuple[str, int], float] = {}
        #: Where transactions have something that a broker which went away may not have ended.
        self._unsure: set[tuple[str, int]] = set()
        self._departures = _Departures()
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
                error_cb=self._departures,
            )
        )
        weakref.finalize(self, _let_go, self._producer).atexit = False

    def start(self, stopped: Callable[[], bool]) -> None:
        """Fence off whoever wrote under this id before; their open transaction is over when this returns.

        Tries for as long as the brokers are away and `stopped()` is false. Raises KafkaException otherwise.
        """
        while True:
            if stopped():
                raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
            try:
                self._producer.init_transactions(CALL_TIMEOUT_S)
                return
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if stopped() or not error.retriable():
                    raise
                self._trouble("start")
                log.warning("%s: waiting for the transaction coordinator: %s", self.transactional_id, error.str())

    def end_what_hangs(self, places: Collection[tuple[str, int]], stopped: Stopped = never) -> Settled:
        """End what hangs in these partitions under its id (see `hanging`). While no transaction is open. Raises
        `Fenced`, and KafkaException when `stopped()`.
        """

        def throw_away(name: str, those: Collection[tuple[str, int]]) -> None:
            self._trouble("hanging")
            self.throw_away(those, stopped)

        return hanging.settle(
            self._settings,
            self.transactional_id,
            places,
            [self.transactional_id],
            throw_away,
            hanging.Verdicts(),
            stopped,
        )

    def throw_away(self, places: Collection[tuple[str, int]], stopped: Stopped = never) -> None:
        """Write an empty record to each of these partitions, in one transaction that is aborted: what hangs there under
        this id is aborted with it. Where the brokers refuse that, it is logged. Raises `Fenced`, and KafkaException
        when `stopped()`.
        """
        for _ in range(TRIES):
            try:
                self._touch(places, stopped)
            except KafkaException as exception:
                if stopped():
                    raise
                reason = exception.args[0].str()
                log.warning("%s: what hangs could not be ended yet: %s", self.transactional_id, reason)
                self._abort(stopped)
            else:
                self._abort(stopped)
                return

    def _touch(self, places: Collection[tuple[str, int]], stopped: Stopped) -> None:
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)

        self._producer.begin_transaction()
        for topic, partition in places:
            self._insist(topic, None, b"", partition, on_delivery=on_delivery)
        until = time.monotonic() + THROWN_S
        while self._producer.flush(FLUSH_S):
            if stopped() or time.monotonic() > until:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the partitions were not reached in time"))
        if failed:
            raise KafkaException(failed[0])

    def write(self, rows: Iterable[Row], last: Row, on_step: Callable[[str], None], partition: int = 0) -> Place:
        """Write `rows`, then `last`, in one transaction; where `last` came to lie. See `write_all`."""
        return self.write_all([Write(partition, list(rows), last, on_step)])[0]

    def write_all(self, writes: Sequence[Write]) -> list[Place]:
        """Write all of them in one transaction; where the last record of each came to lie.

        When it returns, everything is committed. A transaction that is given up because the brokers are away is written
        again from its beginning until they are back; raises `Fenced` when another process has taken over, or when the
        transaction before has been rolled back with it, and `Refused` when the brokers refuse it again and again.
        """
        refused = 0
        while True:
            begun = time.monotonic()
            try:
                places = self._transaction(writes)
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
                self._make_sure(writes)
            else:
                self._newest = [write.end for write in writes]
                self._committed.update(zip(self._newest, places, strict=True))
                self._lately.update(dict.fromkeys(self._touched, time.monotonic()))
                return places

    def make_sure_when_shaken(self, stopped: Stopped = never) -> None:
        """When a broker went away since the last transaction: is that there still? While none is under way. Raises
        `Fenced`, and KafkaException when `stopped()`.
        """
        with contextlib.suppress(KafkaException):  # a fatal error, which the next transaction will tell again
            self._producer.poll(0)
        if self._departures.seen or self._unsure:
            self._departures.seen = False
            self._unsure |= self._suspects()
            self._stand_by(self._newest, stopped)
            self._end_own(stopped)

    def _suspects(self) -> set[tuple[str, int]]:
        """Where a broker that went away may have left something."""
        since = time.monotonic() - HEARD_S
        return {place for place, at in self._lately.items() if at > since}

    def _end_own(self, stopped: Stopped = never) -> None:
        """Raises `Fenced` when something was rolled back: a recovery puts that right."""
        settled = self.end_what_hangs(self._unsure, stopped)
        self._unsure = set()
        if settled.rolled_back:
            raise Fenced(f"{self.transactional_id}: what Kafka had not ended was rolled back")

    def _make_sure(self, writes: Sequence[Write]) -> None:
        """After an abort: what it has left hanging must not be committed with the next try, and what was committed
        before must not have been rolled back with it, for the same partitions or in the transaction before. Raises
        `Fenced`: a recovery puts that right.
        """
        self._unsure |= self._touched | self._suspects()
        self._end_own()
        ends = dict.fromkeys([write.end for write in writes])
        self._stand_by([*ends, *(end for end in self._newest if end not in ends)])

    def _stand_by(self, ends: Iterable[tuple[str, int]], stopped: Stopped = never) -> None:
        """What was committed last in these partitions must be there. Raises `Fenced`: a recovery puts it right.

        Where some of a transaction is there, it was committed, and what hangs of it will be ended so.
        """
        lying = [fate.Lying(*end, self._committed[end].offset) for end in ends if end in self._committed]
        fates = fate.of(self._settings, lying, stopped)
        found = set(fates.values())
        if found <= {"there"} or found == {"there", "open"}:
            return
        told = ", ".join(f"{one.topic} partition {one.partition} offset {one.offset}: {fates[one]}" for one in lying)
        raise Fenced(
            f"{self.transactional_id}: Kafka has rolled back, or not ended, what it said was committed: {told}"
        )

    def _stand_firm(self) -> None:
        """In a transaction whose records have reached the brokers. When one of these went away meanwhile, what was
        committed before may hang (see `fate`): the end of this transaction would be its end in those partitions that
        both have written, and only there. Raises `Fenced`.
        """
        while self._producer.flush(FLUSH_S) and not self._departures.seen:
            pass
        if not self._departures.seen:
            return
        self._departures.seen = False
        self._unsure |= self._suspects()
        until = time.monotonic() + FIRM_S
        try:
            self._stand_by(self._newest, lambda: time.monotonic() > until)
        except KafkaException:
            self._abort()
            raise Fenced(f"{self.transactional_id}: what was committed before cannot be looked for in time") from None
        except Fenced:
            self._abort()
            raise

    def _transaction(self, writes: Sequence[Write]) -> list[Place]:
        placed: dict[int, Place] = {}
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Message, number: int) -> None:
            if error is not None:
                failed.append(error)
            else:
                placed[number] = _place(message)

        self.make_sure_when_shaken()
        self._touched = set()
        self._producer.begin_transaction()
        self._number += 1
        token = Token(self.transactional_id, self._number, tokens.one_for_each([write.end for write in writes]))
        headers = tokens.headers(token)
        for write in writes:
            write.on_step("begun")
        for number, write in enumerate(writes):
            self._produce(write, headers)
            topic, key, value, _ = write.last
            more = {} if self._touches(write.end) else {"headers": headers}
            self._insist(topic, value, key, write.end[1], on_delivery=partial(on_delivery, number=number), **more)
        for write in writes:
            write.on_step("produced")
        self._stand_firm()
        self._commit()
        while len(placed) < len(writes) and not failed:
            self._producer.poll(0.01)
        if failed:
            raise Fenced(f"{self.transactional_id}: committed, but a last record failed: {failed[0].str()}")
        return [placed[number] for number in range(len(writes))]

    def _produce(self, write: Write, headers: list[tuple[str, bytes]]) -> None:
        produce, own, touched = self._producer.produce, write.partition, self._touched
        for topic, key, value, partition in write.rows:
            place = own if partition is None else partition
            if (topic, place) not in touched:
                touched.add((topic, place))
                self._insist(topic, value, key, place, headers=headers)
                continue
            try:
                produce(topic, value, key, place)
            except BufferError:
                self._insist(topic, value, key, place)

    def _touches(self, place: tuple[str, int]) -> bool:
        """Whether the transaction has something for this partition already; from now on it has."""
        already = place in self._touched
        self._touched.add(place)
        return already

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

    def _abort(self, stopped: Stopped = never) -> None:
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
                if stopped():
                    raise
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

    def write(self, topic: str, partition: int, key: bytes, value: bytes | None, stopped: Callable[[], bool]) -> Place:
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
