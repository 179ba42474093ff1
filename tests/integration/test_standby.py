"""Standby replicas: another process has a warm copy of each partition and goes on with it when the owner dies."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, owns, pause, traffic, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.recoveries import metric, recovered
from tests.support.waiting import eventually

PARTITIONS = 2
KEYS = 4_000
#: A clock's barrier, the barriers of recoveries, and what was under way.
TAIL = 50


@pytest.fixture
def bench(make_settings: MakeSettings, start: Start) -> EngineBench:
    return EngineBench(make_settings(standbys=1), start, PARTITIONS)


def on_disk(bench: EngineBench, folder: Path) -> Settings:
    """The settings of a process with a state folder of its own."""
    return bench.settings.model_copy(update={"state_dir": folder})


def warm(worker: GuardedProcess, copies: int) -> bool:
    """Its copies have as good as caught up."""
    behind = metric(worker, "standby_records_left")
    return len(behind) == copies and max(behind.values()) < TAIL


def test_the_survivor_reads_only_the_tail(bench: EngineBench, tmp_path: Path) -> None:
    first = bench.worker(on_disk(bench, tmp_path / "first"))
    second = bench.worker(on_disk(bench, tmp_path / "second"))
    eventually(lambda: owns(first, 1) and owns(second, 1), within=60)
    for worker in (first, second):
        wait_ready(worker)
    bench.send(bench.events, 2 * KEYS, keys=KEYS)
    bench.send(bench.installs, 10)
    bench.wait_for_all()
    # One partition of each stage is active here, and one is on standby.
    eventually(lambda: warm(first, 2) and warm(second, 2), within=20)
    first.kill()
    eventually(lambda: owns(second, PARTITIONS), within=40)
    bench.send(bench.events, 100, keys=KEYS)
    bench.wait_for_all()
    bench.check()
    assert len(recovered(second)) == 2 * PARTITIONS
    assert max(recovered(second).values()) < TAIL, second.log_tail()
    assert not metric(second, "standby_records_left"), "all of them are active now"
    assert second.end(20) == 0


def test_killed_with_copies_under_load(bench: EngineBench, tmp_path: Path) -> None:
    chance = random.Random(3)
    folders = [on_disk(bench, tmp_path / name) for name in ("first", "second")]
    workers = [bench.worker(folder) for folder in folders]
    with traffic(bench):
        eventually(lambda: all(owns(worker, 1) for worker in workers), within=60)
        for kill in (0, 1):
            pause(chance.uniform(1.0, 2.0))
            workers[kill].kill()
            workers[kill] = bench.worker(folders[kill])
            eventually(lambda: all(owns(worker, 1) for worker in workers), within=60)
    bench.wait_for_all(60)
    bench.check()
    for worker in workers:
        assert worker.end(30) == 0, worker.log_tail()
