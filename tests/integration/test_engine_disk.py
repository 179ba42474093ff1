"""A disk that takes nothing more: the worker stops, acknowledges nothing of it, and goes on when there is room again
(faults S13).
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from streams.engine.exits import DISK
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, wait_ready
from tests.support.processes import Start

KEYS = 24_000


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits can be set on Linux only")
def test_a_full_disk_stops_the_worker_and_nothing_is_lost(settings: Settings, start: Start) -> None:
    bench = EngineBench(settings, start)
    worker = bench.worker()
    wait_ready(worker)
    bench.send(bench.events, 100)
    bench.wait_for_all()
    let_no_file_grow_beyond(worker, 48 << 10)
    bench.send(bench.events, KEYS, keys=KEYS)
    assert worker.wait(60) == DISK, worker.log_tail()
    assert "cannot be used" in worker.output()
    assert "nothing of the batch was acknowledged" in worker.output()
    assert "Traceback" not in worker.output()
    applied, acknowledged = bench.applied(), bench.acknowledged()
    assert any(acknowledged[one] < applied[one] for one in applied), "the batch that the disk refused"
    assert all(acknowledged[one] <= applied[one] for one in applied)
    worker = bench.worker()
    bench.wait_for_all()
    bench.check()
    assert worker.end(20) == 0


def let_no_file_grow_beyond(worker: GuardedProcess, size: int) -> None:
    """As on a full disk, but for this process only: the kernel refuses whatever it would append."""
    guard = worker.guard_pid
    (pid,) = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()
    resource.prlimit(int(pid), resource.RLIMIT_FSIZE, (size, size))
