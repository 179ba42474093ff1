"""What the partitions of a process share is made here, with its share of memory and threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from streams.clock import Clock
from streams.engine import arenas
from streams.engine.faults import FaultPoints
from streams.engine.owners import Owners
from streams.engine.pace import Pace
from streams.engine.partition import Shared
from streams.engine.portion import Portion
from streams.engine.producer import BarrierProducer
from streams.engine.progress import Ends
from streams.engine.readings import Readings
from streams.engine.stages import Stage
from streams.engine.standby import Standbys
from streams.engine.store import StoreMemory
from streams.engine.writer import Writers
from streams.settings import Settings


def share(
    settings: Settings,
    clock: Clock,
    threads: Executor,
    ends: Ends,
    faults: FaultPoints,
    readings: Readings,
    stages: Sequence[Stage],
    busy: Callable[[], int],
    stopped: Callable[[], bool],
) -> tuple[Shared, Standbys]:
    """For the partitions of these stages, and for the warm copies of those that are elsewhere. `busy`: how many of the
    former have a batch under way; `stopped`: whether the process is about to end.
    """
    arenas.few()  # before the threads of producers and stores
    memory = StoreMemory(settings.store_cache, settings.store_buffers)
    standbys = Standbys(settings, stages, memory, clock, readings.metrics)
    barriers = BarrierProducer(settings, readings.trouble)
    shared = Shared(
        settings,
        clock,
        threads,
        memory,
        barriers,
        ends,
        faults,
        ThreadPoolExecutor(settings.recoveries, thread_name_prefix="recovery"),
        Pace(),
        Portion(settings.batch_records),
        Owners(settings, barriers, readings.trouble),
        Writers(settings, readings.trouble, busy, stopped),
        standbys.let_go,
    )
    return shared, standbys
