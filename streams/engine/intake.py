"""Between the fetch and the partitions: asks for what is needed, looks up ends for what waits, hands on what is ready.

Runs within the calls of Faust's fetch loop. A fetch and a look-up go on in the background from one call to the next;
there is at most one of each, for all partitions together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from streams.engine.partition import Batch, Partition
from streams.engine.progress import Ends
from streams.engine.stages import Input, Unit

#: A fetch that finds nothing returns after so long (seconds), so that the next one may ask for other sources.
FETCH_S = 0.05
#: Fetches and look-ups follow one another no faster than this (seconds), unless a fetch brought plenty: each costs
#: the same whatever it brings.
FETCH_PAUSE_S = 0.002
LOOK_PAUSE_S = 0.005
PLENTY = 1_000
#: How often (seconds) a waiting partition is looked at, when nothing else happens.
PAUSE_S = 0.01
LEAST_PAUSE_S = 0.001


class Fetched(NamedTuple):
    """What a fetch brought, per (topic, partition): records in order of offsets, and the offset that is read next."""

    records: Mapping[Input, Sequence[Any]]
    positions: Mapping[Input, int]


Fetch = Callable[[Sequence[Input], float], Awaitable[Fetched]]


class Intake:
    """`partitions` is the engine's own, living dictionary; `paused` are sources that stand still.

    `release` is called for a partition whose holds are due and that has nothing else to do.
    """

    def __init__(
        self,
        partitions: Mapping[Unit, Partition],
        ends: Ends,
        paused: set[str],
        release: Callable[[Partition], None],
    ) -> None:
        self._partitions, self._ends, self._paused, self._release = partitions, ends, paused, release
        self._failure: BaseException | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._open = False
        self._next_fetch_at = self._next_look_at = 0.0

    def open(self) -> None:
        """Hand on batches from now on."""
        self._open = True

    async def close(self) -> None:
        """Hand on nothing more; returns when no fetch is under way, so that positions may be moved."""
        self._open = False
        self._changed.set()
        await self.settled()

    async def settled(self) -> None:
        """Returns when the fetch and the look-up that are under way have ended."""
        for task in (self._fetching, self._looking):
            if task is not None:
                await asyncio.wait([task])

    def changed(self) -> None:
        """A partition is ready, or done with its batch: look again."""
        self._changed.set()

    async def next(self, fetch: Fetch, within: float) -> list[Batch]:
        """Batches that are ready, at most one per partition; nothing when there is none for `within` seconds.

        Raises what a fetch raised.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            self._changed.clear()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            if self._open and (ready := self._ready()):
                return ready
            if loop.time() >= deadline:
                return []
            await self._wait(fetch)

    def _ready(self) -> list[Batch]:
        for partition in self._partitions.values():
            if partition.release_due():
                self._release(partition)
        going = [partition for partition in self._partitions.values() if self._paused.isdisjoint(partition.named)]
        return [batch for partition in going if (batch := partition.take()) is not None]

    async def _wait(self, fetch: Fetch) -> None:
        waiting = False
        if self._open:
            self._start_fetch(fetch)
            waiting = self._start_look_up()
        wake = asyncio.ensure_future(self._changed.wait())
        tasks: list[asyncio.Future[Any]] = [wake]
        tasks += [task for task in (self._fetching, self._looking) if task is not None]
        pause = PAUSE_S if waiting or self._fetching is None else FETCH_S
        if self._open and self._looking is None:
            going = (one for one in self._partitions.values() if self._paused.isdisjoint(one.named))
            soonest = min((partition.soon() for partition in going), default=pause)
            pause = min(pause, max(LEAST_PAUSE_S, soonest))
        await asyncio.wait(tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        wake.cancel()

    def _start_fetch(self, fetch: Fetch) -> None:
        if self._fetching is not None or asyncio.get_running_loop().time() < self._next_fetch_at:
            return
        wanted = {one: partition for partition in self._partitions.values() for one in partition.wanted()}
        if wanted:
            self._fetching = asyncio.create_task(self._fetch(fetch, wanted))

    async def _fetch(self, fetch: Fetch, wanted: Mapping[Input, Partition]) -> None:
        loop = asyncio.get_running_loop()
        try:
            fetched = await fetch(list(wanted), FETCH_S)
            if sum(map(len, fetched.records.values())) < PLENTY:
                self._next_fetch_at = loop.time() + FETCH_PAUSE_S
            for one, position in fetched.positions.items():
                partition = wanted[one]
                if partition.running:  # not any more, when it has been let go of or is being opened anew
                    partition.feed(one[0], fetched.records.get(one, ()), position)
        except Exception as error:
            self._failure = error
        finally:
            self._fetching = None
            self._changed.set()

    def _start_look_up(self) -> bool:
        """Look up the ends that somebody waits for. True when somebody waits at all."""
        waiting = any(partition.waits() is not None for partition in self._partitions.values())
        if self._looking is None and asyncio.get_running_loop().time() >= self._next_look_at:
            asked = {(topic, p.number): p for p in self._partitions.values() for topic in p.looks_for()}
            if asked:
                self._looking = asyncio.create_task(self._look_up(asked))
        return waiting

    async def _look_up(self, asked: Mapping[Input, Partition]) -> None:
        try:
            # The moments are taken before the look-up is sent: what was appended before them is below the ends it
            # finds.
            moments = {one: partition.broker_clock.now() for one, partition in asked.items()}
            ends = await self._ends.of(asked)
            if ends is None:
                await asyncio.sleep(1.0)
                return
            for one, end in ends.items():
                partition = asked[one]
                if partition.running:
                    partition.stood_at(one[0], end, moments[one])
        finally:
            self._next_look_at = asyncio.get_running_loop().time() + LOOK_PAUSE_S
            self._looking = None
            self._changed.set()
