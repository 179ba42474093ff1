"""Warm copies of partitions that other processes own: their changelogs are followed into the folders that they would
have here, so that a partition whose owner dies is ready after the tail of its changelog.

A copy only reads Kafka, and committed records only: nothing of it can be ahead of the changelog or in anybody's way. A
thread and a consumer per stage follow all copies of that stage; `let_go` ends a copy before its partition is opened.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.clock import Clock
from streams.engine import changelog, fate
from streams.engine.copies import by_partition
from streams.engine.stages import Stage, Unit
from streams.engine.store import TOMBSTONES_KEPT_MS, Applied, Store, StoreMemory
from streams.errors import Stop
from streams.metrics import Metrics
from streams.settings import Settings

log = logging.getLogger(__name__)

TELL_S = 1.0
#: A copy that failed is begun again after so long (seconds).
AGAIN_S = 30.0
LET_GO_S = 60.0


class Copy:
    """The warm copy of one partition: its open store, and the offset that is read next (None: from the beginning)."""

    def __init__(self, unit: Unit, store: Store, now: int) -> None:
        self.unit, self._store = unit, store
        store.open()
        applied = store.applied()
        if applied is not None and now - applied.appended > TOMBSTONES_KEPT_MS // 2:
            # What was deleted meanwhile may be forgotten by the changelog, and would stay here for ever.
            store.wipe()
            applied = None
        self.next = applied.offset if applied else None
        #: The last record that it has: the first one that is read must be this one.
        self.unseen = applied.offset - 1 if applied and applied.offset else None

    def apply(self, messages: list[Message]) -> None:
        """Write what was read. Raises `Stop` when the disk refuses."""
        if self.next is not None and (messages[0].offset() or 0) < self.next:
            # Of an earlier time as a copy: written over newer rows it would stay.
            messages = [message for message in messages if (message.offset() or 0) >= (self.next or 0)]
        chunk = changelog.chunk_of(messages, f"standby of {self.unit}")
        if chunk is not None:
            self._store.write(chunk.rows, Applied(chunk.next, chunk.appended), logged=False)
            self.next = chunk.next

    @property
    def begins(self) -> int:
        """The offset from which to read."""
        if self.unseen is not None:
            return self.unseen
        return OFFSET_BEGINNING if self.next is None else self.next

    def restart(self) -> None:
        """Begin with nothing: what is here does not belong to this changelog."""
        self._store.wipe()
        self.next = self.unseen = None

    def close(self) -> None:
        """Put it on disk and let go of the folder."""
        self._store.close()


class StageStandby:
    """The copies of one stage, in a thread that starts with the first of them."""

    def __init__(self, settings: Settings, stage: Stage, memory: StoreMemory, clock: Clock, metrics: Metrics) -> None:
        self._settings, self._stage, self._memory, self._clock = settings, stage, memory, clock
        self._metric = metrics.standby_records_left
        self._changed = threading.Condition()
        self._wanted: frozenset[int] = frozenset()
        #: The thread's own.
        self._copies: dict[int, Copy] = {}
        #: Those whose folders are in use, or about to be.
        self._held: set[int] = set()
        self._failed: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._told = 0.0

    def follow(self, numbers: Iterable[int]) -> None:
        """Keep copies of exactly these partitions from now on. Does not wait."""
        with self._changed:
            self._wanted = frozenset(numbers)
            self._failed.clear()
            self._changed.notify_all()
            if self._wanted and self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name=f"standby-{self._stage.name}", daemon=True)
                self._thread.start()

    def let_go(self, number: int) -> None:
        """Keep no copy of this partition; returns when its store is closed."""
        with self._changed:
            self._wanted -= {number}
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: number not in self._held, LET_GO_S):
                raise RuntimeError(f"the warm copy of {Unit(self._stage.name, number)} does not end")

    def stop(self) -> None:
        """Let go of all of them, for good."""
        with self._changed:
            self._stopping = True
            self._wanted = frozenset()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    # -- the thread

    def _run(self) -> None:
        group = f"{self._settings.worker_id}-recovery"
        consumer = changelog.consumer(self._settings, group, auto_offset_reset="error")
        try:
            while not self._stopping:
                self._settle(consumer)
                if self._copies:
                    self._take_in(consumer)
                else:
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopping or self._wanted - self._failed.keys(), AGAIN_S)
        except Exception:
            log.exception("the warm copies of the %s stage are given up", self._stage.name)
        finally:
            for number in list(self._copies):
                self._close(number)
            consumer.close()
            with self._changed:
                self._thread = None

    def _settle(self, consumer: Consumer) -> None:
        """Close and open what was asked for. The others are read on as if nothing were."""
        with self._changed:
            wanted, now = self._wanted, time.monotonic()
            failed = {number for number, since in self._failed.items() if now - since < AGAIN_S}
        if gone := [number for number in self._copies if number not in wanted]:
            consumer.incremental_unassign([TopicPartition(self._stage.changelog, number) for number in gone])
            for number in gone:
                self._close(number)
        new = [number for number in sorted(wanted - failed) if number not in self._copies and self._open(number)]
        if new:
            consumer.incremental_assign([self._place(number, self._copies[number]) for number in new])

    def _open(self, number: int) -> bool:
        with self._changed:
            if number not in self._wanted:
                return False
            self._held.add(number)  # from here on `let_go` waits
        unit = self._unit(number)
        store = Store(folder(self._settings, unit), self._memory)
        try:
            copy = self._copies[number] = Copy(unit, store, self._clock.now())
        except Exception as error:
            self._give_up(number, error)
            store.close()
            self._free(number)
            return False
        log.info("standby of %s: its changelog is followed from offset %d", unit, copy.next or 0)
        return True

    def _close(self, number: int) -> None:
        copy = self._copies.pop(number)
        try:
            copy.close()
        finally:
            self._free(number)
        self._metric.remove(*map(str, copy.unit))
        log.info("standby of %s: let go of at offset %d", copy.unit, copy.next or 0)

    def _free(self, number: int) -> None:
        with self._changed:
            self._held.discard(number)
            self._changed.notify_all()

    def _give_up(self, number: int, reason: object) -> None:
        with self._changed:
            self._failed[number] = time.monotonic()
        log.error("standby of %s: %s", self._unit(number), reason)

    def _take_in(self, consumer: Consumer) -> None:
        for number, messages in by_partition(consumer.consume(changelog.CHUNK, changelog.WAIT_S)).items():
            copy = self._copies.get(number)
            if copy is None:
                continue
            if any(_out_of_range(message) for message in messages) or self._ahead(copy, messages):
                log.warning("standby of %s: offset %s is not in its changelog; it is read anew", copy.unit, copy.next)
                consumer.incremental_unassign([TopicPartition(self._stage.changelog, number)])
                copy.restart()
                consumer.incremental_assign([self._place(number, copy)])
                continue
            try:
                copy.apply(messages)
            except Stop as stop:
                self._give_up(number, stop)
                consumer.incremental_unassign([TopicPartition(self._stage.changelog, number)])
                self._close(number)
        if (now := time.monotonic()) - self._told > TELL_S:
            self._told = now
            self._tell(consumer)

    def _ahead(self, copy: Copy, messages: list[Message]) -> bool:
        """Whether a copy that has just been begun has what was rolled back, from a time when it was more than that."""
        first = changelog.first_of(messages)
        if copy.unseen is None or first is None:
            return False
        unseen, copy.unseen = copy.unseen, None
        record = fate.Lying(self._stage.changelog, copy.unit.number, unseen)
        try:
            return first > unseen and fate.lies(self._settings, record, lambda: copy.unit.number not in self._wanted)
        except KafkaException:
            # It is not wanted any more. Nothing of it is trusted until somebody has looked again.
            return True

    def _tell(self, consumer: Consumer) -> None:
        for number, copy in self._copies.items():
            try:
                ends = consumer.get_watermark_offsets(TopicPartition(self._stage.changelog, number), cached=True)
            except KafkaException:
                continue
            if ends is not None and ends[1] >= 0:
                self._metric.labels(*map(str, copy.unit)).set(max(0, ends[1] - (copy.next or 0)))

    def _place(self, number: int, copy: Copy) -> TopicPartition:
        return TopicPartition(self._stage.changelog, number, copy.begins)

    def _unit(self, number: int) -> Unit:
        return Unit(self._stage.name, number)


class Standbys:
    """The warm copies of a process."""

    def __init__(
        self, settings: Settings, stages: Iterable[Stage], memory: StoreMemory, clock: Clock, metrics: Metrics
    ) -> None:
        self._stages = {stage.name: StageStandby(settings, stage, memory, clock, metrics) for stage in stages}

    def follow(self, units: Iterable[Unit]) -> None:
        """Keep copies of exactly these from now on. Does not wait."""
        units = set(units)
        for name, stage in self._stages.items():
            stage.follow(unit.number for unit in units if unit.stage == name)
        if units:
            log.info("standby of: %s", ", ".join(map(str, sorted(units))))

    def let_go(self, unit: Unit) -> None:
        """Keep no copy of this one; returns when its folder is free."""
        self._stages[unit.stage].let_go(unit.number)

    def stop(self) -> None:
        """End all of them. Blocks until every folder is free."""
        for stage in self._stages.values():
            stage.stop()


def folder(settings: Settings, unit: Unit) -> Path:
    """Where the state of a unit lies in this process, active or not."""
    return settings.state_dir / settings.worker_id / unit.stage / str(unit.number)


def _out_of_range(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET
