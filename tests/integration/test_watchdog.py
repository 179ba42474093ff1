"""What does not move any more is unhealthy at once, and ends the process a while later."""

from __future__ import annotations

import json

import pytest

from streams.engine.exits import STUCK
from streams.engine.faults import VARIABLE
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, pause, probe, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.recoveries import metric
from tests.support.waiting import eventually

AFTER_S = 5.0


@pytest.fixture
def impatient(make_settings: MakeSettings) -> Settings:
    return make_settings(stuck_after=int(AFTER_S * 1000), stuck_exit=4_000)


def health(worker: GuardedProcess) -> tuple[int, str]:
    status, body = probe(worker, "/healthz")
    return status, str(json.loads(body)["reason"])


def wait_for_end(worker: GuardedProcess) -> None:
    """It ends itself, tells why, and what all of its threads were doing."""
    assert worker.wait(40) == STUCK, worker.log_tail()
    assert "the process ends at once" in worker.output()
    assert "Thread 0x" in worker.output()


def test_a_checkpoint_that_never_returns(impatient: Settings, start: Start) -> None:
    bench = EngineBench(impatient, start, partitions=1)
    worker = bench.worker(**{VARIABLE: "device/produced:2:hang"})
    wait_ready(worker)
    assert health(worker) == (200, "None")
    bench.send(bench.installs, 1)
    bench.send(bench.events, 1)
    eventually(lambda: health(worker)[0] == 503, within=30)
    assert "partition 0 has had a batch under way for" in health(worker)[1]
    wait_for_end(worker)
    again = bench.worker()
    bench.wait_for_all()
    bench.check()
    again.kill()


def test_an_event_loop_that_does_not_turn(impatient: Settings, start: Start) -> None:
    bench = EngineBench(impatient, start, partitions=1)
    worker = bench.worker(**{VARIABLE: "device/decided:1:hang"})
    wait_ready(worker)
    bench.send(bench.installs, 1)
    bench.send(bench.events, 1)
    wait_for_end(worker)
    assert "stuck: the event loop has not turned for" in worker.output()


def test_a_recovery_that_does_not_get_on(impatient: Settings, start: Start) -> None:
    bench = EngineBench(impatient, start, partitions=1)
    worker = bench.worker(**{VARIABLE: "device/recovering:1:hang"})
    eventually(lambda: "probes: http" in worker.output() and "assigned partitions" in worker.output(), within=40)
    eventually(lambda: '{partition="0",stage="device"}' in metric(worker, "recovery_records_left"), within=20)
    assert "recovering: partition 0" in probe(worker, "/readyz")[1]
    wait_for_end(worker)
    assert "partition 0 has been recovering at changelog offset" in worker.output()


def test_a_process_that_stood_still_as_a_whole_is_not_stuck(impatient: Settings, start: Start) -> None:
    bench = EngineBench(impatient, start, partitions=1)
    worker = bench.worker()
    wait_ready(worker)
    worker.pause()
    pause(AFTER_S + 1)
    worker.resume()
    bench.send(bench.installs, 1)
    bench.wait_for_all()
    assert "stuck" not in worker.output()
    assert worker.end(20) == 0
