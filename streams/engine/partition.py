"""One partition of a stage, from its assignment to its revocation: it recovers, then merges, checkpoints and
releases.

Lives on the event loop; what blocks runs in threads. A partition that is assigned again is a new `Partition`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

from confluent_kafka import KafkaException

from streams import kafka
from streams.clock import Clock
from streams.engine import budgets, rekey
from streams.engine.changelog import BARRIER_KEY
from streams.engine.checkpoint import Checkpoint, Done
from streams.engine.expiry_sweep import Sweep
from streams.engine.faults import FaultPoints
from streams.engine.holds import HOLD_PREFIX, Holds
from streams.engine.merge import Merge, Wait
from streams.engine.owners import Claim, Owners, Ownership
from streams.engine.pace import Pace
from streams.engine.portion import Portion
from streams.engine.positions import start_positions
from streams.engine.producer import BarrierProducer
from streams.engine.progress import BrokerClock, Ends
from streams.engine.raw import Raw
from streams.engine.recovery import Abandoned, Recovered, Recovery
from streams.engine.remaining import Remaining
from streams.engine.stages import Input, Stage, Unit, reach
from streams.engine.store import Store, StoreMemory
from streams.engine.untold import NOTE_PREFIX, Untold
from streams.engine.writer import Writer, Writers
from streams.settings import Settings

log = logging.getLogger(__name__)

#: Without a checkpoint for so long (seconds) the broker's clock is asked for anew before it is relied on.
CLOCK_AGE_S = 30.0

#: With little to do, what was fetched together goes together, when the other sources' ends have been looked up; but it
#: waits no longer for that than this (seconds).
TOGETHER_S = 0.025
#: A partition that waits for what only a look at the brokers can tell is looked at so often (seconds).
LEAST_WAIT_S = 0.002
#: How aiokafka says that a record has the broker's time of appending it.
LOG_APPEND_TIME = 1

#: A seek that has not ended after so long (seconds) is made again.
SEEK_S = 2.0
#: Who lets go of a partition tells the report topic what it has counted last, if that takes no longer than this
#: (seconds): others wait.
LEAVE_S = 2.0

Seek = Callable[[Mapping[Input, int]], Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Shared:
    """What the partitions of one process share."""

    settings: Settings
    clock: Clock
    threads: Executor
    memory: StoreMemory
    barriers: BarrierProducer
    ends: Ends
    faults: FaultPoints
    #: Where states are read back, a few at a time.
    readers: Executor
    pace: Pace
    portion: Portion
    owners: Owners
    writers: Writers
    #: Ends whatever keeps a warm copy of this partition here, before it is opened. Blocks.
    let_go: Callable[[Unit], None] = lambda unit: None
    #: How many inputs this process has: they share its memory.
    inputs: int = 1
    #: How many partitions it has, of all stages.
    units: int = 1


class Batch(NamedTuple):
    """Merged records of one partition, handed on as one message. `topic` and `offset` are those of the last one."""

    owner: Partition
    records: list[Raw]
    topic: str
    offset: int


class Partition:
    """The life of one assigned partition."""

    def __init__(self, unit: Unit, stage: Stage, shared: Shared) -> None:
        self.unit, self.number = unit, unit.number
        self._stage, self._shared = stage, shared
        #: By the topic that is read.
        self._sources = stage.read
        kinds = [(topic, source.record == "install") for topic, source in stage.read.items()]
        self.merge: Merge[Raw] = Merge(kinds, budgets.waiting(shared.settings, shared.inputs))
        self.broker_clock = BrokerClock(shared.clock)
        folder = shared.settings.state_dir / shared.settings.worker_id / unit.stage / str(unit.number)
        self._store = Store(folder, shared.memory)
        self._writer: Writer | None = None
        self._checkpoint: Checkpoint | None = None
        #: A batch is on its way through Faust, which may drop it when the partition is revoked; then what is being
        #: done.
        self._handed_out = False
        #: Since when something waits that might be taken (monotonic seconds).
        self._waiting_since = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self.closing = False
        self._refreshing: asyncio.Task[None] | None = None
        self._looking: asyncio.Future[Any] | None = None
        self.sweep = Sweep(unit.stage, self._store)
        #: When it last got on (monotonic seconds).
        self.moved_at = shared.clock.monotonic()
        self.recovered: Recovered | None = None
        self._recovery: Recovery | None = None

    def anew(self) -> Partition:
        """One in the place of this one, which has been closed."""
        return Partition(self.unit, self._stage, self._shared)

    # -- from assignment to running

    async def open(self, seek: Seek) -> None:
        """Recover and move the inputs behind the marker. Raises `Abandoned` when closed meanwhile, `Stop`,
        KafkaException.
        """
        writer = self._writer = self._shared.writers.current
        recovery = self._recovery = await self._in_thread(self._fence, writer)
        recovered = await asyncio.get_running_loop().run_in_executor(self._shared.readers, recovery.read)
        marker = await start_positions(
            self._stage, self.number, recovered.marker, self._shared.ends, lambda: self.closing
        )
        if self.closing:
            raise Abandoned
        holds = Holds.load(self._store.rows(HOLD_PREFIX))
        shared = self._shared
        checkpoint = Checkpoint(
            self.unit,
            self._stage,
            self._store,
            writer,
            holds,
            self._untold(),
            marker,
            shared.clock,
            shared.faults,
            shared.portion,
        )
        self.broker_clock.sample(recovered.barrier.appended, recovered.barrier.heard)
        if marker != recovered.marker:
            # A source that starts at its end must not start at a later end after a crash.
            await checkpoint.note(marker)
        await self._move(seek, {(topic, self.number): marker.positions[topic] for topic in self._sources})
        if self.closing:
            raise Abandoned
        self.moved_at = shared.clock.monotonic()
        self.recovered, self._checkpoint = recovered, checkpoint
        log.info(
            "%s: ready after %.1f s, %d changelog records read; inputs from %s",
            self.unit,
            recovered.seconds,
            recovered.records,
            ", ".join(f"{topic} {offset}" for topic, offset in sorted(marker.positions.items())),
        )

    def _untold(self) -> Untold:
        settings = self._shared.settings
        topic = kafka.Topics(settings.topic_prefix).report
        untold = Untold(topic, self.unit.stage, self.number, settings.worker_id)
        untold.load(self._store.rows(NOTE_PREFIX))
        return untold

    def _fence(self, writer: Writer) -> Recovery:
        shared = self._shared
        shared.let_go(self.unit)
        self._store.open()
        try:
            writer.start(lambda: self.closing)
        except KafkaException:
            if self.closing:
                raise Abandoned from None
            raise
        claim = Claim(self.unit, writer.name)
        recovery = Recovery(
            shared.settings,
            self.unit,
            self._stage,
            self._store,
            Ownership(shared.settings, shared.owners, claim, reach(shared.settings, self._stage, self.number)),
            shared.barriers,
            lambda: self.closing,
            shared.faults,
        )
        recovery.fence()
        return recovery

    @property
    def remaining(self) -> Remaining | None:
        """What is left to be read back; None when that is not known yet."""
        return self._recovery.remaining if self._recovery else None

    # -- running

    @property
    def running(self) -> bool:
        """Recovered, and not about to be closed."""
        return self._checkpoint is not None and not self.closing

    @property
    def put_out(self) -> str:
        """Why it may not be written any more as it is, which it has not noticed, having nothing to write."""
        return self._writer.ended if self._writer is not None and self.running and not self.busy else ""

    @property
    def topics(self) -> Iterable[str]:
        """The topics that it reads."""
        return self._sources.keys()

    @property
    def named(self) -> list[str]:
        """The names of its sources: of one that is rekeyed the user's topic."""
        return [source.topic for source in self._stage.sources]

    @property
    def inputs(self) -> list[Input]:
        """What it reads: the partition of its number of each source."""
        return [(topic, self.number) for topic in self._sources]

    @property
    def busy(self) -> bool:
        """A batch is handed out or being processed."""
        return self._handed_out or self._task is not None

    @property
    def positions(self) -> dict[str, int]:
        """For each source the offset behind what is applied."""
        return self._checkpoint.marker.positions if self._checkpoint else {}

    def look(self, keys: list[bytes]) -> list[bytes | None]:
        """Rows as they are on disk, so never ahead of what is committed. Only while `running`, on the event loop:
        then the store is open, and nobody closes it meanwhile.
        """
        return self._store.read(keys)

    def position(self, topic: str) -> int:
        """The offset of a source behind what is applied, control records that follow included."""
        applied = self.positions.get(topic, 0)
        return applied if self.merge.buffered(topic) or self.busy else max(applied, self.merge.position(topic))

    def lag_seconds(self, topic: str) -> float:
        """The age of the oldest record of a source that waits here; 0 when none does."""
        first = self.merge.buffered(topic)
        return 0.0 if first is None else max(0, self.broker_clock.now() - first.appended) / 1000

    @property
    def held(self) -> int:
        """Records that wait for an install."""
        return self._checkpoint.holds.records if self._checkpoint else 0

    def wanted(self) -> list[Input]:
        """The inputs to fetch from."""
        return [(topic, self.number) for topic in self.merge.wanted()] if self.running else []

    def feed(self, topic: str, records: Sequence[Any], position: int) -> None:
        """Take in what was fetched (aiokafka's records), in order; `position` is behind it."""
        source, number = self._sources[topic], self.number
        if topic in self._stage.written:
            raws, before = rekey.unwrap(topic, number, records, source)
        else:
            before = -1
            if records and records[-1].timestamp_type == LOG_APPEND_TIME:
                self.broker_clock.at_least(records[-1].timestamp, self._shared.clock.monotonic())
            raws = [
                Raw(topic, number, record.offset, record.timestamp, record.key, record.value, source)
                for record in records
            ]
        if raws and not len(self.merge):
            self._waiting_since = self._shared.clock.monotonic()
        self.merge.feed(topic, raws, position, sum(len(raw.value or b"") + 100 for raw in raws))
        self.merge.passed(topic, before)
        if before >= 0 and not len(self.merge):
            # To hear that there was nothing is to get on.
            self.moved_at = self._shared.clock.monotonic()

    def delay(self) -> float:
        """Seconds until a batch may be taken, as far as the pace goes."""
        if len(self.merge) >= self._most():
            return 0.0
        return self._shared.pace.wait(self._shared.clock.monotonic())

    def take(self) -> Batch | None:
        """The next batch, if there is one and it is its time. The next one comes after `process` of this one."""
        if not self.running or self.busy or self.delay() > 0 or (self._gathers() and self.merge.unsure()):
            return None
        records = self.merge.take(self._most())
        if not records:
            return None
        self._shared.pace.taken(self._shared.clock.monotonic())
        self._handed_out = True
        last = records[-1].lies or records[-1]
        return Batch(self, records, last.topic, last.offset)

    def _most(self) -> int:
        """So many records are a full batch."""
        return self._shared.portion.size(self._shared.units)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work`, which calls `apply`, be what this partition is busy with; `close` waits for it."""
        self._handed_out = False
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._waiting_since = self._shared.clock.monotonic()

    async def apply(self, records: Sequence[Raw], acknowledge: Callable[[], None]) -> Done:
        """Checkpoint these records (none: release the holds that are due) and acknowledge them.

        Raises what the pipeline raises, before anything was applied.
        """
        if self._checkpoint is None:
            raise RuntimeError(f"{self.unit} is not running")
        if self.sweep.due and not records:
            done = await self.sweep.forget(self._checkpoint)
        else:
            done = await self._checkpoint.apply(records, self.merge.progress(), acknowledge, self._read_to())
        if done.marker is not None:
            self.broker_clock.sample(done.marker.appended, done.marker.heard)
        self.moved_at = self._shared.clock.monotonic()
        return done

    def _read_to(self) -> dict[str, int]:
        """For each topic that a rekeyer writes the offset behind which nothing of it is left, but what has been taken:
        behind the last record, others tell how far its source has been written.
        """
        first = self.merge.buffered
        return {
            topic: raw.lies.offset if (raw := first(topic)) is not None and raw.lies else self.merge.position(topic)
            for topic in self._stage.written
        }

    # -- waiting

    def release_due(self) -> bool:
        """Holds are due, or the report topic must be told, or there is much to be passed over, and nothing else is
        being done.
        """
        if not self.running or self.busy or self._checkpoint is None:
            return False
        if self.sweep.due or self._checkpoint.untold.overdue(self._shared.clock.monotonic()):
            return True
        due = self._checkpoint.holds.next_due()
        return (due is not None and self.merge.progress() > due) or rekey.far_ahead(self.positions, self._read_to())

    def looks_for(self) -> tuple[str, ...]:
        """The sources whose ends would let a record go, or a hold be released; empty when the broker's clock is not
        there yet.
        """
        if not self.running or self.busy or self._checkpoint is None:
            return ()
        now = self.broker_clock.now()
        topics: set[str] = set()
        wait = self._open_question()
        if wait is not None and now > wait.appended and self.delay() <= 0:
            topics.update(wait.topics)
        due = self._checkpoint.holds.next_due()
        if due is not None and now > due >= self.merge.progress():
            topics.update(self.merge.empty())
        return tuple(topics - self._stage.written)

    def _open_question(self) -> Wait | None:
        """What is to be found out before a batch is taken: with little to do before all that is buffered can go, rather
        than some of it now and some in the next round.
        """
        return (self.merge.unsure() if self._gathers() else None) or self.merge.waits()

    def _gathers(self) -> bool:
        return len(self.merge) < self._most() and self._shared.clock.monotonic() - self._waiting_since < TOGETHER_S

    def soon(self) -> float:
        """Seconds until it may go on by itself."""
        if not self.running or self.busy or not len(self.merge):
            return float("inf")
        wait = self._open_question()
        if wait is None:
            return self.delay()
        if self._stage.written.issuperset(wait.topics):
            return float("inf")  # a rekeyer has to go on first
        return max(self.delay(), (wait.appended + 1 - self.broker_clock.now()) / 1000, LEAST_WAIT_S)

    def waits(self) -> Wait | None:
        """What the next record waits for."""
        return self.merge.waits() if self.running and not self.busy else None

    def stood_at(self, topic: str, end: int, moment: int) -> None:
        """A look-up that was begun at `moment` found this end."""
        self.merge.stood_at(topic, end, moment)

    def refresh_clock(self) -> None:
        """Ask the broker for the time, when it was last heard long ago and something waits by it."""
        if self.broker_clock.age < CLOCK_AGE_S or self._refreshing is not None or not self.running:
            return
        if self.merge.waits() is None and not self.held:
            return
        self._refreshing = asyncio.create_task(self._sample_clock())

    async def _sample_clock(self) -> None:
        shared = self._shared
        write = shared.barriers.write
        try:
            place = await self._in_thread(
                write, self._stage.changelog, self.number, BARRIER_KEY, b"clock", lambda: self.closing
            )
            self.broker_clock.sample(place.appended, place.heard)
        except KafkaException as error:
            log.warning("%s: the broker's clock cannot be read: %s", self.unit, error)
        finally:
            self._refreshing = None

    async def _move(self, seek: Seek, positions: Mapping[Input, int]) -> None:
        """Seek; given up when the partition is closed. In a rebalance aiokafka tells no position before the new
        assignment, and that waits for the closing.
        """
        while not self.closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(seek(positions), SEEK_S)
                return

    # -- the end

    async def close(self) -> None:
        """Finish the batch that is being processed, tell what was counted, and let go of the store. What was only
        fetched is fetched again elsewhere.
        """
        in_order, self.closing = self.running, True
        task = self._task
        if task is not None:
            await asyncio.wait([task])
        for other in (self._refreshing, self._looking):
            if other is not None:
                await asyncio.wait([other])
        checkpoint, self._checkpoint = self._checkpoint, None
        if in_order and checkpoint is not None:
            await self._tell_last(checkpoint)

    async def _tell_last(self, checkpoint: Checkpoint) -> None:
        try:
            async with asyncio.timeout(LEAVE_S):
                await checkpoint.tell()
        except Exception as error:
            log.warning("%s: its last counts are told by whoever has it next: %r", self.unit, error)

    def close_store(self) -> None:
        """Blocking part of `close`, when nothing of this partition runs any more."""
        self._store.close()

    async def beside(self, function: Callable[[], T]) -> T:
        """Let one thing at a time look at the store, in a thread beside batches; only while `running`. `close` waits
        for it.
        """
        self._looking = looking = asyncio.ensure_future(self._in_thread(function))
        try:
            return cast(T, await looking)
        finally:
            self._looking = None

    async def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._shared.threads, function, *arguments)
