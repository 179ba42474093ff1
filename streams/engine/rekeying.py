"""The rekeyers of one process: whose partition it has, whose rekeyer it runs; they begin and end with its assignment,
and what they tell of themselves. On the event loop; each works in a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException, TopicPartition

from schemas.config import App
from streams.clock import Clock
from streams.engine import asking, exits
from streams.engine.partition import Partition, Shared
from streams.engine.producer import Fenced
from streams.engine.readings import SLOW_S, STUCK_S, Readings
from streams.engine.rekeyer import Means, Rekeyer, Way
from streams.engine.stages import Stage, rekeyer_changelog
from streams.errors import Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

#: How often what has been applied is deleted from the internal topics, and how long that may take (seconds).
DELETE_EVERY_S = 60.0
DELETE_S = 10.0
#: A rekeyer is begun anew so often without having got on in between; then something else is wrong.
REOPENINGS = 3


def delete_applied(settings: Settings, applied: Mapping[tuple[str, int], int]) -> None:
    """Delete what lies before these offsets: nobody reads it again. Blocks; what cannot be deleted is so after the
    topic's retention.
    """
    if not applied:
        return
    before = [TopicPartition(topic, number, at) for (topic, number), at in applied.items()]
    try:
        for done in asking.client(settings).delete_records(before, request_timeout=DELETE_S).values():
            done.result()
    except KafkaException as error:
        log.warning("what has been applied of the internal topics cannot be deleted: %s", error.args[0].str())


class Rekeying:
    """Everything is called from the event loop. `ask` asks the group whether this process is still in it;
    `finish` ends the process in order, with an exit status and a reason.
    """

    def __init__(
        self,
        readings: Readings,
        clock: Clock,
        ask: Callable[[], Awaitable[str | None]],
        finish: Callable[[int, str], None],
    ) -> None:
        self._readings, self._clock, self._ask, self._finish = readings, clock, ask, finish
        self._rekeyers: list[Rekeyer] = []
        self._threads: ThreadPoolExecutor | None = None
        self._running: dict[Rekeyer, asyncio.Task[None]] = {}
        self._ending: dict[Rekeyer, asyncio.Task[None]] = {}
        self._reopened: Counter[str] = Counter()
        #: Since when records have been seen to wait (monotonic seconds).
        self._waiting: dict[Rekeyer, float] = {}
        self._settings: Settings | None = None
        self._written: frozenset[str] = frozenset()
        self._delete_at = clock.monotonic() + DELETE_EVERY_S
        self._applied: dict[tuple[str, int], int] = {}
        readings.readiness.watch(lambda: self._not_moving(STUCK_S))

    def begin(self, stage: Stage, shared: Shared, apps: tuple[App, ...]) -> None:
        """The sources of this stage are the ones there are."""
        topics = [source.topic for source in stage.sources]
        by_name = {source.topic: source for source in stage.sources}
        counter = self._readings.metrics.records_rekeyed_total
        changelog = rekeyer_changelog(shared.settings)
        for number, (topic, internal) in enumerate(stage.rekeyed.items()):
            others = tuple(other for other in topics if other != topic)
            way = Way(by_name[topic], internal, changelog, stage.partitions, others, number)
            means = Means(
                shared.settings,
                shared.clock,
                shared.barriers,
                shared.faults,
                self._readings.trouble,
                counter.labels(topic).inc,
            )
            self._rekeyers.append(Rekeyer(way, means, apps))
        if self._rekeyers:
            self._threads = ThreadPoolExecutor(len(self._rekeyers) + 1, thread_name_prefix="rekey")
        self._settings, self._written = shared.settings, stage.written

    def configure(self, apps: Iterable[App]) -> None:
        """Place by these apps from now on."""
        for rekeyer in self._rekeyers:
            rekeyer.configure(apps)

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions of the device stage are ours: so are their rekeyers."""
        self._waiting = {}
        for rekeyer in self._rekeyers:
            if rekeyer.way.home in partitions:
                rekeyer.start()
                self._running[rekeyer] = asyncio.create_task(self._keep(rekeyer))

    def revoke(self) -> Awaitable[object]:
        """Begin nothing more; when what is returned is done, what was under way is committed, and others may have
        them.
        """
        running, self._running, self._waiting = self._running, {}, {}
        for rekeyer in running:
            rekeyer.stop()
        self._ending = running
        return asyncio.gather(*running.values(), return_exceptions=True)

    @property
    def ending(self) -> list[str]:
        """Those that were revoked and may have something under way still."""
        return [str(rekeyer) for rekeyer, task in self._ending.items() if not task.done()]

    def close(self) -> None:
        """Nothing is begun any more."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _keep(self, rekeyer: Rekeyer) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = rekeyer.moved_at
            try:
                await loop.run_in_executor(self._threads, rekeyer.run)
                return
            except Fenced as error:
                if rekeyer.moved_at > began:
                    self._reopened.pop(str(rekeyer), None)
                if not await self._may_go_on(rekeyer, error):
                    return
            except Stop as stop:
                self._finish(stop.exit_code, str(stop))
                return
            except Exception as error:
                exits.die(exits.CHECKPOINT_FAILED, f"{rekeyer} failed", error)

    async def _may_go_on(self, rekeyer: Rekeyer, error: Fenced) -> bool:
        """Whether it is still ours, after its producer was told that it may not write: as `worker` asks for
        partitions.
        """
        log.warning("%s may not write as it is: %s", rekeyer, error)
        self._reopened[str(rekeyer)] += 1
        if self._reopened[str(rekeyer)] > REOPENINGS:
            exits.die(exits.CHECKPOINT_FAILED, f"{rekeyer} cannot write, again and again: {error}")
        membership = await self._ask()
        if membership == "gone":
            exits.die(exits.FENCED, f"{rekeyer} may not write any more, others may have it: {error}")
        return membership == "member" and rekeyer in self._running

    # -- what they tell

    def look(self, answered: bool, partitions: Iterable[Partition]) -> None:
        """Once a second. `answered`: the brokers do; without them nothing can move, and a restart would not help.
        `partitions`: those of this process; what they have applied of the internal topics is deleted now and then.
        """
        now, waiting = self._clock.monotonic(), {}
        if answered and now >= self._delete_at and self._threads is not None and self._settings is not None:
            self._delete_at = now + DELETE_EVERY_S
            applied = {
                (topic, one.number): at
                for one in partitions
                for topic, at in one.positions.items()
                if topic in self._written and at > 0
            }
            # What the newest commit says may still be rolled back by a broker that shuts down (`fate`): so only what
            # was applied a round ago goes, and when others have been committed behind it.
            settled = {one: at for one, at in self._applied.items() if applied.get(one, 0) > at}
            self._applied = applied
            self._threads.submit(delete_applied, self._settings, settled)
        metrics = self._readings.metrics
        for rekeyer in self._running:
            topic = rekeyer.way.source.topic
            behind = 0
            for number, (lag, oldest) in rekeyer.lag.items():
                behind += lag
                age = max(0, rekeyer.broker_clock.now() - oldest) / 1000 if lag and oldest is not None else 0
                metrics.lag_records.labels(topic, str(number)).set(lag)
                metrics.lag_seconds.labels(topic, str(number)).set(age)
            if answered:
                waiting[rekeyer] = self._waiting.get(rekeyer, now)
        self._waiting = waiting
        slow = self._not_moving(SLOW_S)
        self._readings.readiness.set("rekeyed", not slow, slow or "")

    def _not_moving(self, seconds: float) -> str | None:
        now = self._clock.monotonic()
        for rekeyer, since in self._waiting.items():
            still = now - max(since, rekeyer.moved_at)
            if still > seconds:
                return f"{rekeyer} has not moved for {still:.0f} s with records waiting"
        return None
