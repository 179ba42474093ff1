"""The writer of a process: what its partitions have decided by themselves goes to Kafka in common transactions.

A transaction costs the same whatever is in it, for the brokers more than for the worker. So there is at most one at a
time in a process: while it is under way further partitions decide, and what they have decided is in the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

from streams.engine import budgets
from streams.engine.fate import Stopped, never
from streams.engine.producer import Fenced, Place, TransactionalProducer, Trouble, Write, untold
from streams.settings import Settings

#: A transaction waits so long (seconds) for partitions that are about to have something for it, unless it has much.
GATHER_S = 0.025
#: So many records are much: to decide them took longer than a transaction costs.
MUCH = 500
#: So many records are too many for one transaction, unless they are of one partition.
MOST = 50_000
#: Turns of the event loop in which a partition that was told of its commit comes to have nothing under way.
STEPS_TO_END = 3


class _Entry(NamedTuple):
    write: Write
    committed: Callable[[Place], None]
    outcome: asyncio.Future[Place]


class Writer:
    """Writes for those partitions that the process has claimed under its name, in a thread; used from the event loop.

    Never used again when a write has raised `Fenced`: the partitions are then opened anew with another one.
    """

    def __init__(
        self, settings: Settings, threads: Executor, trouble: Trouble, busy: Callable[[], int], stopped: Stopped
    ) -> None:
        self._stopped = stopped
        #: How many partitions of the process have a batch under way.
        self._busy = busy
        #: Its transactional id, which no other writer ever has.
        self.name = f"{settings.worker_id}-{uuid.uuid4().hex}"
        self._settings, self._threads, self._trouble = settings, threads, trouble
        self._producer: TransactionalProducer | None = None
        self._starting = threading.Lock()
        self._gather_s = GATHER_S
        self._waiting: list[_Entry] = []
        self._running: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        #: Why it may not write any more.
        self.ended = ""

    def start(self, stopped: Stopped) -> None:
        """From now on it may be fenced off. Blocks; from any thread, again for each partition; raises
        KafkaException.
        """
        with self._starting:
            if self._producer is None:
                size = budgets.producer(self._settings)
                producer = TransactionalProducer(self._settings, self.name, self._trouble, size)
                producer.start(stopped)
                self._producer = producer

    async def write(self, write: Write, committed: Callable[[Place], None]) -> Place:
        """Where the last record of `write` lies; `committed` has been called with it, in a thread. Raises what that
        raised, and what `TransactionalProducer.write_all` raises.
        """
        if self.ended:
            raise Fenced(self.ended)
        entry = _Entry(write, committed, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        elif self._is_enough():
            self._enough.set()
        return await entry.outcome

    def look(self) -> None:
        """When a broker went away and nothing has been written since: make sure that what was committed is there."""
        if self._producer is None or self._running is not None or self.ended:
            return
        self._running = asyncio.create_task(self._make_sure(self._producer))

    async def _make_sure(self, producer: TransactionalProducer) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._threads, producer.make_sure_when_shaken, self._stopped
            )
        except Exception as error:
            self.ended = str(error) or type(error).__name__
        finally:
            self._running = None
            if self._waiting:
                self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await self._gather()
                group = self._next_group()
                try:
                    outcomes = await loop.run_in_executor(self._threads, self._write, group)
                except BaseException as error:
                    outcomes = [error for _ in group]
                for entry, outcome in zip(group, outcomes, strict=True):
                    _tell(entry.outcome, outcome)
                for _ in range(STEPS_TO_END):
                    await asyncio.sleep(0)
        finally:
            self._running = None

    def _next_group(self) -> list[_Entry]:
        """All that wait, but no more than a transaction takes in its time."""
        rows = 0
        for count, entry in enumerate(self._waiting):
            rows += len(entry.write.rows)
            if count and rows > MOST:
                break
        else:
            count = len(self._waiting)
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _gather(self) -> None:
        self._enough.clear()
        if not self._is_enough():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._gather_s)

    def _is_enough(self) -> bool:
        rows = sum(len(entry.write.rows) for entry in self._waiting)
        return rows >= MUCH or len(self._waiting) >= self._busy()

    def _write(self, group: list[_Entry]) -> list[Place | BaseException]:
        """One transaction, and what each partition does when it is committed."""
        if self.ended or self._producer is None:
            return [Fenced(self.ended) for _ in group]
        try:
            places = self._producer.write_all([entry.write for entry in group])
        except Fenced as error:
            self.ended = str(error)
            # Each is told what was counted in its own batch before.
            return [Fenced(self.ended) for _ in group]
        except BaseException as error:
            return [error for _ in group]
        return [_committed(entry, place) for entry, place in zip(group, places, strict=True)]


class Writers:
    """The writer that a process has at the time. `busy`: how many of its partitions have a batch under way; `stopped`:
    whether the process is about to end.
    """

    def __init__(
        self,
        settings: Settings,
        trouble: Trouble = untold,
        busy: Callable[[], int] = lambda: 0,
        stopped: Stopped = never,
    ) -> None:
        # Of their own, so that no partition that is being opened keeps others from writing; two, so that one that
        # still asks what has become of its last transaction does not keep the next one from it.
        threads = ThreadPoolExecutor(2, thread_name_prefix="writer")
        self._given = (settings, threads, trouble, busy, stopped)
        self._current = Writer(*self._given)

    @property
    def current(self) -> Writer:
        """Another one than before when that one may not write any more. From the event loop."""
        if self._current.ended:
            self.renew()
        return self._current

    def renew(self) -> None:
        """The partitions are assigned anew: whoever has one of ours fences off the writer there was."""
        self._current = Writer(*self._given)


def _committed(entry: _Entry, place: Place) -> Place | BaseException:
    try:
        entry.committed(place)
    except BaseException as error:
        return error
    return place


def _tell(waiting: asyncio.Future[Place], outcome: Place | BaseException) -> None:
    if waiting.done():  # given up
        return
    if isinstance(outcome, BaseException):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
