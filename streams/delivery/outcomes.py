"""What became of jobs goes to Kafka: receipts, retry records, dead letters and source offsets together, or not at all.

One transactional producer per process. Every commit interval one transaction takes all that was settled since the
last one, and with it the positions of the source partitions. So a crash can repeat what was in flight and one
interval, but never fork a chain of retries or lose a receipt. The group's generation goes along: a sender that has
lost its partitions cannot commit for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from streams import kafka, logs
from streams.metrics import Metrics
from streams.settings import Settings

from .calls import Calls, Stuck
from .faults import COMMIT, FaultPoints
from .offsets import Position, Tracker
from .settling import Record

log = logs.get(__name__)

#: An abandoned transaction hides what comes after it from readers for so long.
TRANSACTION_TIMEOUT_MS = 10_000
#: After this time (seconds) the coordinator has aborted the transaction; to wait on for its end would be to wait for
#: ever.
GIVE_UP_SECONDS = 15.0
#: How long one call to the client may take before it is made again, which is safe for those that say so (seconds).
CALL_SECONDS = 5.0
#: A call that takes longer than this, and than the transaction, does not keep its time and may never return (seconds).
STUCK_SECONDS = 2 * CALL_SECONDS
#: A pause before a transaction that was aborted is done again (seconds).
REDO_SECONDS = 0.1
#: A commit takes milliseconds; one that takes so long (seconds) means that the broker is away.
LATE_SECONDS = 0.5
#: After a quiet time the first outcome waits so long (seconds) for others.
GATHER_SECONDS = 0.005
#: As many settled jobs are a full batch.
FULL_BATCH = 5_000


class Settled(msgspec.Struct, frozen=True, gc=False):
    """The work on the record at `offset` is done once `records` are written."""

    tracker: Tracker
    offset: int
    records: tuple[Record, ...]


class Fatal(Exception):
    """The producer cannot go on: it was fenced, or its transaction was taken from it. Nothing of the open batch was
    committed by us.
    """


class Aborted(Exception):
    """The transaction was aborted: nothing of it is seen, and it may be done again."""


class Commit(Protocol):
    """Writes batches."""

    def __call__(self, records: list[tuple[int, Record]], positions: list[tuple[Tracker, Position]]) -> None:
        """Write `records` (with their partitions) and commit `positions` in one transaction; blocks until it is
        committed.

        Raises `Aborted` or `Fatal`.
        """
        ...


class Trouble:
    """Whether a connection to a broker broke. An object of its own: what the client calls it keeps alive, and a
    producer that is let go of must be gone.
    """

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, error: KafkaError) -> None:
        self.seen = True


class Transactions:
    """The transactional producer. `start` and the calls block, and belong into one thread. `group` gives the group's
    metadata by the epoch of an assignment.

    `written` holds the partitions (topic and number) that were written to under this transactional id: it is kept here
    for the producer that follows this one.
    """

    def __init__(
        self,
        settings: Settings,
        transactional_id: str,
        group: Callable[[int], Any],
        written: set[tuple[str, int]],
        faults: FaultPoints | None = None,
    ) -> None:
        self._group = group
        self._written = written
        self._faults = faults or FaultPoints()
        self._receipts = kafka.Topics(settings.topic_prefix).receipts
        self._ending = False
        self._deadline = 0.0
        self._calls = Calls("producer")
        self._trouble = Trouble()
        self._producer = Producer(
            kafka.producer_settings(
                settings,
                transactional_id=transactional_id,
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
                # A dead letter is the largest: a whole job, in base64.
                message_max_bytes=kafka.LARGEST_DEAD_LETTER,
                queue_buffering_max_messages=200_000,
                linger_ms=5,
                error_cb=self._trouble,
            )
        )

    def start(self) -> None:
        """Fence an earlier producer of the same id and end its open transactions, also those that Kafka has forgotten.
        Raises `Fatal`.
        """
        self._call(self._producer.init_transactions, CALL_SECONDS)
        if self._written:
            log.info("ending what the producer before this one may have left open", partitions=len(self._written))
            self._sweep()
            self._written.clear()
        # Nothing of this producer's is committed yet that could be undone.
        self._listen()
        self._trouble.seen = False

    def _sweep(self) -> None:
        """Abort what hangs: a broker that shuts down may note a transaction as complete and not write the ends of it.
        Then partitions hide what follows, and the group's offsets cannot be read, until the same producer ends another
        transaction there. What hung is aborted everywhere, so that its jobs are taken from the source once more.
        """
        # The offset is of a topic that the group does not read.
        offsets = [TopicPartition(self._receipts, 0, 0)]
        self._throw_away(
            lambda: self._call(self._producer.send_offsets_to_transaction, offsets, self._group(0), CALL_SECONDS)
        )
        self._throw_away(self._touch)

    def _throw_away(self, step: Callable[[], None]) -> None:
        self._deadline = time.monotonic() + GIVE_UP_SECONDS
        self._call(self._producer.begin_transaction)
        with contextlib.suppress(Aborted):
            step()
            self._abort()

    def _touch(self) -> None:
        for topic, partition in sorted(self._written):
            self._produce(topic, partition, b"", None)
        while len(self._producer):
            self._make(self._producer.flush, CALL_SECONDS)
            self._check_time("what was written cannot be reached")

    def __call__(self, records: list[tuple[int, Record]], positions: list[tuple[Tracker, Position]]) -> None:
        """See `Commit`."""
        try:
            self._write(records, positions)
        except Aborted as aborted:
            self._listen()
            if self._trouble.seen:
                # A broker that went away may have left the transaction before this one without its ends. They were
                # aborted with it then, while the positions that are committed next go on from there: only who begins
                # anew takes its jobs from the source once more.
                raise Fatal(f"a broker was away, and a transaction had to be aborted: {aborted}") from aborted
            raise

    def _write(self, records: list[tuple[int, Record]], positions: list[tuple[Tracker, Position]]) -> None:
        self._deadline = time.monotonic() + GIVE_UP_SECONDS
        self._call(self._producer.begin_transaction)
        self._faults.reached(COMMIT, "begun")
        for partition, record in records:
            self._written.add((record.topic, partition))
            self._produce(record.topic, partition, record.key, record.value)
        self._faults.reached(COMMIT, "produced")
        if positions:
            offsets = [
                TopicPartition(tracker.topic, tracker.partition, position.offset, position.metadata)
                for tracker, position in positions
            ]
            # Where one of these assignments is over nothing may be committed: the generation is that of the oldest.
            group = self._group(min(tracker.epoch for tracker, _ in positions))
            self._call(self._producer.send_offsets_to_transaction, offsets, group, CALL_SECONDS)
        self._faults.reached(COMMIT, "positioned")
        self._call(self._producer.commit_transaction, CALL_SECONDS)
        self._faults.reached(COMMIT, "committed")

    def _produce(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition)
                return
            except BufferError:
                self._producer.poll(0.05)
                self._check_time("the producer's queue is full")
            except KafkaException as error:
                self._give_up(error.args[0])

    def _call(self, step: Callable[..., Any], *arguments: Any) -> None:
        """Make a call until it is done; those that time out or may be retried are made again, as the client asks
        for.
        """
        while True:
            try:
                self._make(step, *arguments)
                return
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if not cause.retriable() or cause.fatal():
                    self._give_up(cause)
                self._check_time(cause.str())
                time.sleep(0.02)

    def _make(self, step: Callable[..., Any], *arguments: Any) -> None:
        """Make a call once. Raises `Fatal` when it does not return."""
        until = max(self._deadline, time.monotonic() + STUCK_SECONDS)
        try:
            self._calls.make(lambda: step(*arguments), until)
        except Stuck:
            # The producer is lost with it: another one, made anew, finds the broker.
            raise Fatal("a call to the Kafka client did not return in time") from None

    def _check_time(self, reason: str) -> None:
        """Raise `Fatal` when somebody waits for the end, or when the coordinator has long aborted the transaction by
        itself.
        """
        if self._ending or (self._deadline and time.monotonic() > self._deadline):
            raise Fatal(reason)

    def _give_up(self, cause: KafkaError) -> None:
        if cause.fatal() or not cause.txn_requires_abort():
            raise Fatal(cause.str())
        self._abort()
        raise Aborted(cause.str())

    def _listen(self) -> None:
        """Hear of broken connections up to now."""
        with contextlib.suppress(KafkaException):  # a fatal error, which the next call tells again
            self._producer.poll(0)

    def _abort(self) -> None:
        while True:
            try:
                self._make(self._producer.abort_transaction, CALL_SECONDS)
                return
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.fatal() or not cause.retriable():
                    raise Fatal(cause.str()) from error
                self._check_time(cause.str())

    def discard(self) -> None:
        """Forget what is queued and wait for no call any more; the coordinator aborts an open transaction."""
        self._ending = True
        self._calls.leave()
        self._producer.purge()


class Outbox:
    """Collects what is settled and commits it, batch after batch. All methods belong to the event loop."""

    def __init__(self, commit: Commit, interval_ms: int, metrics: Metrics) -> None:
        self._commit = commit
        self._interval = interval_ms / 1000
        self._metrics = metrics
        self._settled: list[Settled] = []
        self._wanted = asyncio.Event()
        self._full = asyncio.Event()
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "outcomes")
        self.committed_at = time.monotonic()
        self._writing_since: float | None = None

    @property
    def late(self) -> bool:
        """A commit takes so long that the broker may be away: what is sent now may have to be sent again."""
        return self._writing_since is not None and time.monotonic() - self._writing_since > LATE_SECONDS

    def __len__(self) -> int:
        return len(self._settled)

    def put(self, tracker: Tracker, offset: int, records: tuple[Record, ...] = ()) -> None:
        """Settle the record at `offset`; it is committed within the interval while the broker is there."""
        self._settled.append(Settled(tracker, offset, records))
        self._wanted.set()
        if len(self._settled) >= FULL_BATCH:
            self._full.set()

    async def run(self) -> None:
        """Commit for ever. Raises `Fatal`."""
        earliest = 0.0
        while True:
            await self._wanted.wait()
            # An interval begins with the commit before it: the longer that took, the less is waited for the next one.
            wait = max(GATHER_SECONDS, earliest - time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), wait)
            earliest = time.monotonic() + self._interval
            await self.flush()

    async def flush(self) -> None:
        """Commit what is settled by now; returns when it is committed. Raises `Fatal`."""
        async with self._lock:
            self._writing_since = time.monotonic()
            try:
                await self._flush()
            finally:
                self._writing_since = None

    async def _flush(self) -> None:
        self._wanted.clear()
        self._full.clear()
        batch, self._settled = self._settled, []
        # Finished before it is committed: the positions are those of this very transaction, and nobody else
        # commits them.
        batch = [one for one in batch if one.tracker.finish(one.offset)]
        touched = {one.tracker for one in batch}
        while batch:
            try:
                await self._write(batch, [tracker for tracker in touched if tracker.open])
                return
            except Aborted as error:
                log.warning("outcomes were not committed, trying again", reason=str(error), jobs=len(batch))
                self._metrics.kafka_errors_total.labels("transaction").inc()
                await asyncio.sleep(REDO_SECONDS)
            # What belongs to partitions that were lost meanwhile is another sender's now.
            batch = [one for one in batch if one.tracker.open]

    async def _write(self, batch: list[Settled], trackers: list[Tracker]) -> None:
        records = [
            (one.tracker.partition if record.partition is None else record.partition, record)
            for one in batch
            for record in one.records
        ]
        positions = [(tracker, position) for tracker in trackers if (position := tracker.changed()) is not None]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, records, positions)
        for tracker, position in positions:
            tracker.committed(position)
        self.committed_at = time.monotonic()

    def close(self) -> None:
        """Let the thread end; what is not flushed is not committed."""
        self._thread.shutdown(wait=False, cancel_futures=True)
