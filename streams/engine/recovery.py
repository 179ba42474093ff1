"""From an assignment to a partition that may process: the order of the steps is what makes it right (see
`Recovery.run`).

Blocking; runs in a thread per partition, so that partitions recover side by side and each starts as soon as it can.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams import kafka
from streams.engine.faults import FaultPoints
from streams.engine.producer import BarrierProducer, Place, TransactionalProducer
from streams.engine.stages import Stage, Unit
from streams.engine.store import Applied, Store
from streams.errors import Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

#: Keys of the engine's own changelog records.
MARKER_KEY = b"m"
BARRIER_KEY = b"m:barrier"

#: Deleted rows are remembered by the changelog for so long; a store that has been away for longer is built anew.
TOMBSTONES_KEPT_MS = 7 * kafka.DAY_MS
CHUNK = 10_000
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
    """Brings one partition's store up to date with its changelog, as its only writer. `stopped` is asked all along
    the way.
    """

    def __init__(
        self,
        settings: Settings,
        unit: Unit,
        stage: Stage,
        store: Store,
        producer: TransactionalProducer,
        barriers: BarrierProducer,
        stopped: Callable[[], bool],
        faults: FaultPoints,
    ) -> None:
        self._settings, self._unit, self._changelog = settings, unit, stage.changelog
        self._store, self._producer, self._barriers = store, producer, barriers
        self._stopped = stopped
        self._reached = partial(faults.reached, unit.stage)

    def run(self) -> Recovered:
        """Fence, mark, read up to the mark. Raises `Abandoned`, `Stop` or KafkaException."""
        started = time.monotonic()
        try:
            # 1. Fence: from here on nobody else can commit for this partition, and what they left open is aborted.
            self._producer.start(self._stopped)
            # 2. A plain record behind everything that they committed. Its offset is where to stop reading: the end of
            # the changelog would not do, for a transaction's control record may be the last thing there and is never
            # delivered.
            barrier = self._barriers.write(
                self._changelog, self._unit.number, BARRIER_KEY, self._producer.transactional_id.encode(), self._stopped
            )
        except KafkaException:
            if self._stopped():
                raise Abandoned from None
            raise
        self._reached("barrier")
        # 3. Only now read: whatever is read up to the barrier is all there will ever be from others.
        self._check_store(barrier.offset, barrier.appended)
        records = self._read_to(barrier.offset)
        self._reached("recovered")
        marker = Marker.decode(self._store.read([MARKER_KEY])[0])
        return Recovered(marker, barrier, records, time.monotonic() - started)

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

    def _read_to(self, barrier: int) -> int:
        """Apply the changelog up to and including the barrier; how many records that were."""
        applied = self._store.applied()
        start, appended = applied or Applied(0, 0)
        consumer = Consumer(kafka.consumer_settings(self._settings, group_id=f"{self._settings.worker_id}-recovery"))
        reader = _Progress(self._unit, start, barrier)
        try:
            consumer.assign([TopicPartition(self._changelog, self._unit.number, start)])
            while start <= barrier:
                if self._stopped():
                    raise Abandoned
                rows: dict[bytes, bytes | None] = {}
                before = start
                for message in consumer.consume(CHUNK, 0.2):
                    if (error := message.error()) is not None:
                        log.warning("%s: recovery: %s", self._unit, error.str())
                        continue
                    offset = message.offset() or 0
                    if offset > barrier:
                        break
                    start = offset + 1
                    appended = message.timestamp()[1]
                    key = message.key() or b""
                    if key != BARRIER_KEY:
                        rows[key] = message.value()
                    reader.records += 1
                if start > before:
                    self._store.write(rows, Applied(start, appended))
                reader.report(start)
        finally:
            consumer.close()
        return reader.records


class _Progress:
    """Tells the log now and then how far a long recovery has come."""

    def __init__(self, unit: Unit, start: int, barrier: int) -> None:
        self._unit, self._start, self._barrier = unit, start, barrier
        self._begun = self._told = time.monotonic()
        self.records = 0

    def report(self, offset: int) -> None:
        now = time.monotonic()
        if now - self._told < REPORT_EVERY_S:
            return
        self._told = now
        left = self._barrier - offset
        rate = (offset - self._start) / (now - self._begun)
        log.info(
            "%s: recovering, %d changelog records left, about %.0f s",
            self._unit,
            left,
            left / max(rate, 1),
        )
