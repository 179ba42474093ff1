"""The engine of a worker process: start-up in order, the assigned partitions of both stages, configuration changes, and
the end.

The Faust app (`application`) calls it; it knows Faust only as the one who brings batches and is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from schemas.config import Configuration, Source
from streams import interpreter, probes
from streams.clock import Clock, SystemClock
from streams.engine import exits, startup
from streams.engine.copies import standby_units
from streams.engine.ending import Ending
from streams.engine.expiry_rounds import Rounds
from streams.engine.faults import FaultPoints
from streams.engine.intake import Intake
from streams.engine.lock import StateLock
from streams.engine.partition import Batch, Partition, Shared
from streams.engine.pauses import Pauses
from streams.engine.pipeline import WrongPartition
from streams.engine.ports import Follow, Follower, Inputs, Lookups, Membership, Serve
from streams.engine.producer import Fenced
from streams.engine.progress import Ends
from streams.engine.readings import Readings
from streams.engine.recovery import Abandoned
from streams.engine.rekeying import Rekeying
from streams.engine.sharing import share
from streams.engine.stages import Input, Processors, Stage, Unit
from streams.engine.standby import Standbys
from streams.engine.watchdog import Watchdog
from streams.errors import RUNTIME, Stop
from streams.metrics import Metrics
from streams.probes import Probes, Readiness
from streams.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 1.0
#: A partition is opened anew so often without a batch being applied in between; then something else is wrong.
REOPENINGS = 3
#: A configuration that is there has been read after so long (seconds), unless Kafka is slow.
PATIENCE_S = 3.0
THREADS = 32


class Engine:
    """One per process. Everything but what is said otherwise is called from the event loop."""

    def __init__(
        self,
        settings: Settings,
        processors: Processors,
        follow: Follow,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        faults: FaultPoints | None = None,
        serve: Serve | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.readings = Readings(metrics or Metrics(), Readiness(*Readings.CONDITIONS), self.clock)
        self.ends = Ends(settings)
        self.partitions: dict[Unit, Partition] = {}
        self.pauses = Pauses(settings, self.readings.metrics)
        self.intake = Intake(self.partitions, self.ends, self.pauses.paused, self._release)
        #: How the process ends, when not by a signal from outside.
        self.exit_status = 0
        self.ending = Ending(settings.grace / 1000, lambda: self.exit_status)
        #: Of the configuration, and what follows from them.
        self.sources: tuple[Source, ...] = ()
        self.stages: tuple[Stage, ...] = ()
        self.probes: Probes | None = None
        self.lookups: Lookups | None = None if serve is None else serve(self)
        self._processors, self._follow = processors, follow
        self._faults = faults or FaultPoints.from_environment()
        self._follower: Follower | None = None
        self._configuration: asyncio.Future[Configuration] | None = None
        self._in_force: Configuration | None = None
        self._shared: Shared | None = None
        self._standbys: Standbys | None = None
        self._inputs: Inputs | None = None
        self._reopened: Counter[Unit] = Counter()
        self._asked: asyncio.Task[Membership | None] | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="partition")
        self._lock = StateLock(settings.state_dir / settings.worker_id)
        self._watchdog = Watchdog(settings, self.partitions, self.readings)
        self._rekeying = Rekeying(self.readings, self.clock, self._membership, self._finish)
        self._revoking = self._stopping = False

    # -- start-up

    async def start(self) -> None:
        """Everything before the first record: probes, brokers, configuration, checks. Raises `Stop`; `Abandoned` when
        stopped.
        """
        settings, readiness = self.settings, self.readings.readiness
        # Before the port, which an old process that is ending holds as long as the state.
        await self._in_thread(self._lock.take, settings.grace / 1000, lambda: self._stopping)
        self.probes = await probes.serve(
            settings.metrics_host, settings.metrics_port, self.readings.metrics.registry, readiness
        )
        log.info("probes: http://%s:%d/readyz", settings.metrics_host, self.probes.port)
        if self.lookups is not None:
            await self.lookups.start()
        admin = await self._in_thread(startup.wait_for_kafka, settings, lambda: self._stopping, self._kafka_is_away)
        readiness.set("kafka", True)
        configuration = await self._first_configuration()
        self.sources = configuration.sources
        partitions = await self._in_thread(startup.check_topics, admin, settings, self.sources)
        stages = await self._in_thread(startup.make_stages, admin, settings, self._processors, self.sources, partitions)
        self._begin_with(configuration)
        await self.ends.start()
        self.stages = stages
        given = (settings, self.clock, self._threads, self.ends, self._faults, self.readings, stages)
        self._shared, self._standbys = share(*given, self._busy, lambda: self._stopping)
        self._rekeying.begin(stages[0], self._shared, configuration.apps)
        self._start(self._look())
        self._start(self._watchdog.run())
        self._start(Rounds(self, self.readings.metrics).run())
        interpreter.tune()

    def _busy(self) -> int:
        return sum(partition.busy for partition in self.partitions.values())

    def _kafka_is_away(self, reason: str) -> None:
        log.warning(reason)
        self.readings.trouble("metadata")
        self.readings.readiness.set("kafka", False, reason)

    async def _first_configuration(self) -> Configuration:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[Configuration] = loop.create_future()
        self._configuration = first
        self._follower = self._follow(
            self.settings,
            lambda configuration: _call(loop, self._on_configuration, configuration),
            lambda refused: _call(loop, self._on_refused, refused),
        )
        self._follower.start()
        log.info("reading the configuration")
        self.readings.readiness.set("configuration", False, "no configuration has been applied yet")
        await asyncio.wait([first], timeout=PATIENCE_S)
        if not first.done():
            log.info("there is no configuration yet, and nothing to do before `ringback apply DIR` writes one")
        return await first

    def _begin_with(self, configuration: Configuration) -> None:
        try:
            self._processors.configure(configuration, None)
        except Exception as error:
            raise Stop(
                f"generation {configuration.generation} of the configuration cannot be used: {error}",
                "`ringback apply` a corrected one",
            ) from error
        self._configured(configuration)

    def _on_configuration(self, configuration: Configuration) -> None:
        """A new generation. Between batches: a batch is decided without giving up the event loop."""
        if self._configuration is not None and not self._configuration.done():
            self._configuration.set_result(configuration)
            return
        if self._shared is None or self._in_force is None:
            self._finish(exits.RESTART, "the configuration changed during the start")
            return
        try:
            self._processors.configure(configuration, self._in_force)
        except Exception as error:
            self._on_refused(f"generation {configuration.generation}: {error}")
            return
        if configuration.sources != self.sources:
            # It can be used, so the restart will not end at once; until then the inputs are those of the old one.
            self._processors.configure(self._in_force, None)
            self._finish(
                exits.RESTART, f"generation {configuration.generation} changes the sources: a restart is needed"
            )
            return
        self.pauses.clear()
        self._configured(configuration)
        self.intake.changed()

    def _configured(self, configuration: Configuration) -> None:
        self._in_force = configuration
        self._rekeying.configure(configuration.apps)
        self.readings.configured(configuration)
        log.info("configuration: generation %d", configuration.generation)

    def _on_refused(self, refused: object) -> None:
        self.readings.metrics.config_errors_total.inc()
        log.error("configuration refused, the last good one stays: %s", refused)

    @property
    def configuration(self) -> Configuration | None:
        """The generation in force."""
        return self._in_force

    # -- partitions come and go

    def attach(self, inputs: Inputs) -> None:
        """The consumer there is now."""
        self._inputs = inputs
        self._start(inputs.watch())

    def assign(self, assigned: Iterable[Input], standby: Iterable[Input] = ()) -> None:
        """These inputs are ours from now on. Each partition recovers and starts by itself. Of those on `standby` a warm
        copy is kept.
        """
        inputs = set(assigned)
        for stage in self.stages:
            if torn := stage.torn(inputs):
                self._finish(
                    exits.RESTART,
                    f"the sources of partitions {torn} were assigned apart: another worker has other sources",
                )
                return
            if added := stage.added(inputs):
                self._finish(
                    exits.RESTART, f"partitions {added} were added to {', '.join(stage.topics)}: see the next start"
                )
                return
        if self._shared is None or self._standbys is None or self._stopping:
            return
        self._standbys.follow(standby_units(self.stages, inputs, set(standby)))
        units = [(Unit(stage.name, number), stage) for stage in self.stages for number in stage.assigned(inputs)]
        shared = self._shared = replace(self._shared, inputs=len(inputs), units=len(units))
        shared.writers.renew()
        self.partitions |= {unit: Partition(unit, stage, shared) for unit, stage in units}
        self._revoking = False
        for stage in self.stages:
            numbers = ", ".join(map(str, stage.assigned(inputs))) or "none"
            log.info("assigned %spartitions: %s", "user " if stage.internal else "", numbers)
        self.readings.assigned(self.partitions)
        self.intake.open()
        self._rekeying.assigned(self.stages[0].assigned(inputs))
        for partition in self.partitions.values():
            self._start_opening(self._open(partition))

    def _start_opening(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        task.add_done_callback(self._ended)

    async def _open(self, partition: Partition) -> None:
        if self._inputs is None:
            raise RuntimeError("no consumer")
        try:
            await partition.open(self._inputs.move)
        except Abandoned:
            return
        except Stop as stop:
            self._finish(stop.exit_code, str(stop))
            return
        except Fenced as error:
            self._retake(partition, error)
            return
        except Exception as error:
            if not partition.closing:
                exits.die(exits.CHECKPOINT_FAILED, f"{partition.unit} could not be recovered", error)
            return
        self.readings.recovering()
        self.intake.changed()
        if self.lookups is not None:
            self._start(self.lookups.announce(partition, self._inputs.commit_now))

    def _retake(self, partition: Partition, error: Fenced) -> None:
        """Open a partition anew whose producer may not write any more, if it is still ours."""
        self._reopened[partition.unit] += 1
        if self._reopened[partition.unit] > REOPENINGS:
            exits.die(exits.CHECKPOINT_FAILED, f"{partition.unit} cannot be written, again and again: {error}")
        self._reopen(partition, str(error))

    def _reopen(self, partition: Partition, reason: str) -> None:
        partition.closing = True
        log.warning("%s may not be written as it is: %s", partition.unit, reason)
        self.readings.reopening()
        self._start_opening(self._open_anew(partition, reason))

    async def _open_anew(self, partition: Partition, error: str) -> None:
        if self._inputs is None or self._shared is None:
            raise RuntimeError("no consumer")
        # Brokers that come back give up the transactions that had been open for too long, and tell the same as when
        # another worker has taken over. The group knows which it is, and a worker that stood still has been put out.
        membership = await self._membership()
        if membership == "gone":
            exits.die(exits.FENCED, f"{partition.unit} may not be written any more, others may have it: {error}")
        # A fetch that was begun for the old one must not be taken for one behind the new one's marker.
        await self.intake.settled()
        await partition.close()
        await self._in_thread(partition.close_store)
        if membership != "member" or self._revoking or self._stopping:
            return  # it is let go of anyway, and assigned anew if it is to be ours
        fresh = self.partitions[partition.unit] = partition.anew()
        await self._open(fresh)

    async def _membership(self) -> Membership | None:
        """What the group says. Partitions are often fenced together: they share a question that is under way."""
        if self._inputs is None:
            raise RuntimeError("no consumer")
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._ask_membership(self._inputs))
        return await self._asked

    async def _ask_membership(self, inputs: Inputs) -> Membership | None:
        while True:
            membership = await inputs.membership()
            if membership is not None or self._stopping:
                return membership
            await asyncio.sleep(LOOK_S)

    async def revoke(self) -> None:
        """Finish what is under way and let go of all partitions. When it returns, others may have them."""
        self._revoking = True
        await self.intake.close()
        drained = self._rekeying.revoke()
        self.readings.unassigned()
        partitions = list(self.partitions.values())
        await asyncio.gather(drained, *(partition.close() for partition in partitions))
        while self._opening:
            await asyncio.wait(self._opening)
        self.partitions.clear()
        await asyncio.gather(*(self._in_thread(partition.close_store) for partition in partitions))

    # -- batches

    def take_all(self, batches: Sequence[Batch], acknowledge: Callable[[], Any]) -> None:
        """Start to process batches of different partitions; `acknowledge` is called when all are done with."""
        left = len(batches)

        def one() -> None:
            nonlocal left
            left -= 1
            if not left:
                acknowledge()

        for batch in batches:
            self.take(batch, one)

    def take(self, batch: Batch, acknowledge: Callable[[], Any]) -> None:
        """Start to process a batch; `acknowledge` is called once, when it is applied or not ours any more."""
        partition = batch.owner
        if not partition.running:
            acknowledge()  # fetched before a rebalance: whoever owns the partition now reads it again
            return

        def applied() -> None:
            if self._inputs is not None:
                number = partition.number
                self._inputs.applied({(topic, number): at for topic, at in partition.positions.items()})
            acknowledge()

        partition.start(self._apply(partition, batch, applied, acknowledge))

    def _release(self, partition: Partition) -> None:
        partition.start(self._apply(partition, None, lambda: None, lambda: None))

    async def _apply(
        self, partition: Partition, batch: Batch | None, applied: Callable[[], None], dropped: Callable[[], Any]
    ) -> None:
        started = self.clock.monotonic()
        try:
            done = await partition.apply(batch.records if batch else [], applied)
        except Fenced as error:
            dropped()
            self.readings.count(error.done)
            self._retake(partition, error)
            return
        except Exception as error:
            # Nothing of the batch has been applied: what the pipeline refuses now it would refuse again.
            partition.closing = True
            dropped()  # or Faust would wait for it; what it commits are applied offsets only
            self._refused(partition, error)
            return
        self._reopened.pop(partition.unit, None)
        self.readings.applied(partition, done, self.clock.monotonic() - started)
        self.pauses.count(done.counts)
        self.intake.changed()

    def _refused(self, partition: Partition, error: Exception) -> None:
        if isinstance(error, Stop):
            self._finish(error.exit_code, str(error))
        elif isinstance(error, WrongPartition):
            self._finish(RUNTIME, str(error))
        else:
            log.error("%s: the pipeline failed", partition.unit, exc_info=error)
            self._finish(exits.CHECKPOINT_FAILED, "an error of Ringback itself; the batch was not applied")

    # -- watching

    async def _look(self) -> None:
        while not self._stopping:
            await asyncio.sleep(LOOK_S)
            inputs = [one for partition in self.partitions.values() if partition.running for one in partition.inputs]
            probe = inputs or [(source.topic, 0) for source in self.sources[:1]]
            ends = await self.ends.of(probe)
            self.readings.looked(ends, self.pauses.paused)
            self._rekeying.look(ends is not None, self.partitions.values())
            if self._follower is not None and not self._follower.alive and not self._stopping:
                self.readings.readiness.stuck("the config topic is not followed any more")
            if self._shared is not None:
                self._shared.writers.current.look()
            for partition in list(self.partitions.values()):
                partition.refresh_clock()
                if partition.put_out:
                    self._reopen(partition, partition.put_out)

    # -- the end

    def _finish(self, status: int, reason: str) -> None:
        """End the process in order, as after SIGTERM, with this exit status."""
        log.error("%s", reason)
        if not self.exit_status:
            self.exit_status = status
            os.kill(os.getpid(), signal.SIGTERM)

    def stop_starting(self) -> None:
        """Give up whatever `start` waits for."""
        self._stopping = True
        self._lock.ending()

    async def drain(self) -> None:
        """Finish and commit the batches under way; take no more. Ends the process when that exceeds the grace."""
        self._stopping = True
        self._watchdog.stop()
        log.info("stopping: what is under way is finished first")
        await self.ending.finish(self.revoke(), self._committing)

    def _committing(self) -> list[str]:
        return [str(unit) for unit, one in self.partitions.items() if one.busy] + self._rekeying.ending

    async def close(self) -> None:
        """Let go of everything that is left."""
        self._stopping = True
        if self._follower is not None:
            await self._in_thread(self._follower.stop)
        self._watchdog.stop()
        if self._standbys is not None:
            await self._in_thread(self._standbys.stop)
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.ends.stop()
        if self.probes is not None:
            await self.probes.close()
        if self.lookups is not None:
            await self.lookups.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._rekeying.close()
        self._lock.release()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """A task that fails must not go unnoticed: what it watched would look well for ever."""
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the engine failed", exc_info=error)
            self._finish(exits.CHECKPOINT_FAILED, "an error of Ringback itself; a restart is needed")

    def _in_thread(self, function: Callable[..., Any], *arguments: object) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """From another thread; a loop that is closed has nobody left to tell."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        log.debug("told after the end: %s", arguments)
