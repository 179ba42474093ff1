"""From an assignment to a partition that may process: the order of the steps is what makes it right (see
`Recovery.fence` and `Recovery.read`).

Blocking; runs in threads. Partitions are fenced side by side, and read a few at a time: each of those has its own
buffers, and more of them would share the same processors.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from streams.engine import changelog, fate
from streams.engine.changelog import BARRIER_KEY as BARRIER_KEY
from streams.engine.faults import FaultPoints
from streams.engine.owners import Ownership
from streams.engine.producer import BarrierProducer, Place
from streams.engine.remaining import Remaining, estimate
from streams.engine.stages import Stage, Unit
from streams.engine.store import TOMBSTONES_KEPT_MS, Applied, Store
from streams.errors import Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

#: The key under which a changelog holds the marker.
MARKER_KEY = b"m"
REPORT_EVERY_S = 5.0


class Abandoned(Exception):
    """The partition was taken away, or the process is stopping: nothing is wrong."""


class Marker(NamedTuple):
    """Which input has been applied: for each source the offset that is read next."""

    positions: dict[str, int]

    def encode(self) -> bytes:
        return msgspec.json.encode({"format": 1, "positions": self.positions})

    @classmethod
    def decode(cls, row: bytes | None) -> Marker:
        """Of no row: nothing has been applied."""
        return cls({} if row is None else dict(msgspec.json.decode(row)["positions"]))


class Recovered(NamedTuple):
    """What a recovery found: the marker, where the barrier lies, and for the log what it did."""

    marker: Marker
    barrier: Place
    records: int
    seconds: float


class Recovery:
    """Brings one partition's store up to date with its changelog, as its only writer: `fence`, then `read`. `stopped`
    is asked all along the way.
    """

    def __init__(
        self,
        settings: Settings,
        unit: Unit,
        stage: Stage,
        store: Store,
        ownership: Ownership,
        barriers: BarrierProducer,
        stopped: Callable[[], bool],
        faults: FaultPoints,
    ) -> None:
        self._settings, self._unit, self._changelog = settings, unit, stage.changelog
        self._store, self._ownership, self._barriers = store, ownership, barriers
        self._stopped = stopped
        self._reached = partial(faults.reached, unit.stage)
        self._barrier: Place | None = None
        self._seconds = 0.0
        #: How much is to be read; None until that is known.
        self.remaining: Remaining | None = None

    def fence(self) -> None:
        """Fence and mark; then it is known how much is to be read. Raises `Abandoned`, `Stop` or KafkaException."""
        started = time.monotonic()
        try:
            # 1. Fence: from here on nobody else can commit for this partition, and what they left open is aborted.
            self._ownership.take(self._stopped)
            # 2. A plain record behind everything that they committed. Its offset is where to stop reading: the end of
            # the changelog would not do, for a transaction's control record may be the last thing there and is never
            # delivered.
            barrier = self._barriers.write(
                self._changelog, self._unit.number, BARRIER_KEY, self._ownership.name.encode(), self._stopped
            )
        except KafkaException:
            if self._stopped():
                raise Abandoned from None
            raise
        self._reached("barrier")
        self._check_store(barrier.offset, barrier.appended)
        applied = self._store.applied()
        self._barrier = barrier
        self.remaining = Remaining(applied.offset if applied else 0, barrier.offset + 1)
        self._seconds = time.monotonic() - started

    def read(self) -> Recovered:
        """Read up to the mark, and only now: that is all there will ever be from others. Raises as `fence` does.

        What is read is not logged by the store, only flushed at the end: a process that dies on the way finds a part
        of it that is whole, with the row that tells how far it reaches, and reads on from there.
        """
        if self._barrier is None or self.remaining is None:
            raise RuntimeError("read before fence")
        started = time.monotonic()
        self.remaining.begin(started)
        records = self._read_to(self._barrier.offset, self.remaining)
        self._store.flush()
        self._settle()
        self._reached("recovered")
        marker = Marker.decode(self._store.read([MARKER_KEY])[0])
        return Recovered(marker, self._barrier, records, self._seconds + time.monotonic() - started)

    def _settle(self) -> None:
        try:
            self._ownership.settle(self._stopped)
        except KafkaException:
            if self._stopped():
                raise Abandoned from None
            raise

    def _check_store(self, barrier: int, now: int) -> None:
        applied = self._store.applied()
        if applied is None:
            return
        if applied.offset > barrier:
            raise Stop(
                f"the state in {self._store.path} is ahead of its changelog {self._changelog} partition "
                f"{self._unit.number} (offset {applied.offset} against {barrier}): the topic was recreated, or this is "
                "another cluster",
                "use the cluster that the state belongs to, or remove the state directory: the state is then what the "
                "changelog holds",
            )
        if now - applied.appended > TOMBSTONES_KEPT_MS // 2:
            log.info("%s: the state on disk is old; it is built anew from the changelog", self._unit)
            self._store.wipe()

    def _read_to(self, barrier: int, remaining: Remaining) -> int:
        """Apply the changelog up to and including the barrier; how many records that were."""
        if self._stopped():
            raise Abandoned
        consumer = changelog.consumer(self._settings, f"{self._settings.worker_id}-recovery")
        records, told = 0, time.monotonic()
        # The last record that the store has must be the first one that is read.
        known = remaining.at - 1 if remaining.at else None
        try:
            consumer.assign([self._at(remaining.at if known is None else known)])
            reached = False
            while remaining.at <= barrier and not reached:
                if self._stopped():
                    raise Abandoned
                messages = consumer.consume(changelog.CHUNK, changelog.WAIT_S)
                # The barrier itself may be compacted away by now.
                reached = bool(messages) and (messages[-1].offset() or 0) > barrier
                if reached:
                    messages = [message for message in messages if (message.offset() or 0) <= barrier]
                if known is not None and (first := changelog.first_of(messages)) is not None:
                    if first > known and self._undone(known):
                        self._begin_anew(known, remaining)
                        consumer.assign([self._at(0)])
                        messages, reached = [], False
                    messages, known = [one for one in messages if one.offset() != known], None
                found = changelog.chunk_of(messages, self._unit)
                if found is None:
                    continue
                self._store.write(found.rows, Applied(found.next, found.appended), logged=False)
                records += found.records
                now = time.monotonic()
                remaining.step(found.next, now)
                self._reached("recovering")
                if now - told > REPORT_EVERY_S:
                    told = now
                    log.info("%s: recovering, %s", self._unit, estimate([remaining], now))
        finally:
            consumer.close()
        return records

    def _at(self, offset: int) -> TopicPartition:
        return TopicPartition(self._changelog, self._unit.number, offset)

    def _undone(self, offset: int) -> bool:
        """Whether the record at this offset, which committed readers do not see, was rolled back: see `fate.lies`."""
        try:
            return fate.lies(self._settings, fate.Lying(self._changelog, self._unit.number, offset), self._stopped)
        except KafkaException:
            if self._stopped():
                raise Abandoned from None
            raise

    def _begin_anew(self, offset: int, remaining: Remaining) -> None:
        """The store is ahead of what has happened: nothing of it can be trusted."""
        log.error(
            "%s: the state on disk holds a batch that Kafka had said was committed, and has then rolled back (%s "
            "partition %d, offset %d); the state is built anew from the changelog, and the batch is applied again",
            self._unit,
            self._changelog,
            self._unit.number,
            offset,
        )
        self._store.wipe()
        remaining.start = remaining.at = 0
