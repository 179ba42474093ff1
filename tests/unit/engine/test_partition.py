"""A partition that is let go of: what is under way ends first."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.config import Source
from streams.clock import ManualClock
from streams.engine.faults import FaultPoints
from streams.engine.pace import Pace
from streams.engine.partition import Partition, Shared
from streams.engine.portion import Portion
from streams.engine.stages import Stage, Unit
from streams.engine.store import StoreMemory
from streams.settings import Settings

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
    await asyncio.sleep(0.02)
    assert not closing.done(), "others would have the partition while its batch is under way"
    committed.set()
    await asyncio.wait_for(closing, 5)
    assert not partition.busy


async def test_closing_waits_for_who_looks_at_the_store(partition: Partition) -> None:
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()
    looking = asyncio.create_task(
        partition.beside(lambda: asyncio.run_coroutine_threadsafe(looked.wait(), loop).result())
    )
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(partition.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    looked.set()
    await asyncio.wait_for(closing, 5)
    assert await looking
