"""A partition that is let go of: what is under way ends first."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.config import Source
from streams.clock import ManualClock
from streams.engine import partition as partitions
from streams.engine.faults import FaultPoints
from streams.engine.pace import Pace
from streams.engine.partition import Partition, Shared
from streams.engine.portion import Portion
from streams.engine.producer import Fenced
from streams.engine.stages import Stage, Unit
from streams.engine.store import StoreMemory
from streams.settings import Settings
from tests.support.waiting import all_wait, eventually_async

SOURCES = (Source(topic="installs", record="install"), Source(topic="events", record="event"))


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    threads = ThreadPoolExecutor(1)
    shared = Shared(
        Settings(state_dir=tmp_path),
        ManualClock(),
        threads,
        StoreMemory(),
        barriers=cast(Any, None),
        ends=cast(Any, None),
        faults=FaultPoints(),
        readers=threads,
        pace=Pace(),
        portion=Portion(2_000),
        owners=cast(Any, None),
        writers=cast(Any, None),
    )
    return Partition(Unit("device", 0), Stage("device", SOURCES, 1, "changelog", cast(Any, None)), shared)


async def test_closing_waits_for_the_batch_that_is_being_applied(partition: Partition) -> None:
    committed = asyncio.Event()

    async def batch() -> None:
        await committed.wait()

    partition.start(batch())
    closing = asyncio.create_task(partition.close())
    await all_wait()
    assert not closing.done(), "others would have the partition while its batch is under way"
    committed.set()
    await asyncio.wait_for(closing, 5)
    assert not partition.busy


async def test_closing_waits_for_who_looks_at_the_store(partition: Partition) -> None:
    looks, looked = threading.Event(), threading.Event()

    def look() -> bool:
        looks.set()
        return looked.wait(20)

    looking = asyncio.create_task(partition.beside(look))
    await eventually_async(looks.is_set)
    closing = asyncio.create_task(partition.close())
    await all_wait()
    assert not closing.done()
    looked.set()
    await asyncio.wait_for(closing, 5)
    assert await looking


class Telling:
    """In place of a checkpoint: `tell` is all that is asked of it."""

    def __init__(self, ends: Exception | None = None, hangs: bool = False) -> None:
        self._ends, self._hangs = ends, hangs
        self.asked = 0

    async def tell(self) -> None:
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        if self._ends is not None:
            raise self._ends


async def test_who_lets_go_tells_what_was_counted_when_the_last_batch_is_applied(partition: Partition) -> None:
    committed, telling = asyncio.Event(), Telling()
    partition._checkpoint = cast(Any, telling)

    async def batch() -> None:
        await committed.wait()

    partition.start(batch())
    closing = asyncio.create_task(partition.close())
    await all_wait()
    assert telling.asked == 0, "told beside a batch"
    committed.set()
    await asyncio.wait_for(closing, 5)
    assert telling.asked == 1


@pytest.mark.parametrize("telling", [Telling(Fenced("gone")), Telling(RuntimeError("any")), Telling(hangs=True)])
async def test_what_cannot_be_told_keeps_nobody_from_letting_go(
    partition: Partition, telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LEAVE_S", 0.05)
    partition._checkpoint = cast(Any, telling)
    await asyncio.wait_for(partition.close(), 5)
    assert telling.asked == 1
    assert not partition.positions


async def test_what_may_not_be_written_any_more_is_not_told(partition: Partition) -> None:
    telling = Telling()
    partition._checkpoint = cast(Any, telling)
    partition.closing = True
    await partition.close()
    assert telling.asked == 0
