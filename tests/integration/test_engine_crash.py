"""The worker killed with -9, its state taken away: nothing is lost and nothing counted twice (faults S1, S2)."""

from __future__ import annotations

import random
import shutil
import threading

import pytest

from streams.engine.faults import STEPS, VARIABLE
from streams.engine.stages import StageName
from streams.settings import Settings
from tests.support.engine_bench import PARTITIONS, EngineBench, pause, state_folder
from tests.support.processes import Start

KILLED = 137
#: At which time a step is the last one. A partition's first transaction only notes where its inputs begin, perhaps when
#: others have applied theirs: the last of the first batches is met, and of what is in no batch the second.
TIMES = {"decided": 3, "acknowledged": 3} | dict.fromkeys(("begun", "produced", "committed", "stored"), 2 * PARTITIONS)


@pytest.fixture
def bench(settings: Settings, start: Start) -> EngineBench:
    return EngineBench(settings, start)


def test_records_of_two_sources_are_applied_once_and_in_order(bench: EngineBench):
    bench.send(bench.events, 3000)
    bench.send(bench.installs, 600)
    worker = bench.worker()
    bench.wait_for_all()
    bench.send(bench.installs, 100)
    bench.send(bench.events, 1000)
    bench.wait_for_all()
    bench.check()
    assert worker.end(20) == 0


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("stage", "wiped"), [("device", False), ("user", True)], ids=["device stage, state kept", "user stage, state wiped"]
)
def test_killed_at_a_step_of_the_protocol(
    bench: EngineBench, settings: Settings, step: str, stage: StageName, wiped: bool
):
    bench.send(bench.events, 1500)
    bench.send(bench.installs, 300)
    worker = bench.worker(**{VARIABLE: f"{stage}/{step}:{TIMES.get(step, 2)}"})
    assert worker.wait(60) == KILLED, worker.output()
    if wiped:
        shutil.rmtree(state_folder(settings))
    bench.send(bench.events, 300)
    second = bench.worker()
    bench.wait_for_all()
    bench.check()
    assert second.end(20) == 0


def test_killed_at_random_under_load(bench: EngineBench, settings: Settings):
    chance = random.Random(7)
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            bench.send(bench.events, 400, keys=200)
            bench.send(bench.installs, 60, keys=200)
            stop.wait(0.1)

    traffic = threading.Thread(target=load)
    traffic.start()
    try:
        for kill in range(6):
            worker = bench.worker()
            pause(chance.uniform(3.0, 6.0))
            worker.kill()
            if kill % 3 == 2:
                shutil.rmtree(state_folder(settings))
    finally:
        stop.set()
        traffic.join()
    worker = bench.worker()
    bench.wait_for_all(120)
    bench.check()
    assert worker.end(20) == 0
