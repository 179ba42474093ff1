"""A worker that is told to end while Kafka is away (fault S5): in time, by itself, and with the status that fits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from streams.engine import exits
from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.waiting import eventually

#: Seconds, and what a busy machine may take beyond.
GRACE, MORE = 5.0, 5.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker that goes away. When it is back, its controller does not take it for one that was gone."""
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka"), extra={"broker.session.timeout.ms": "60000"}) as running:
        yield running


@pytest.fixture
def bootstrap(own: EmbeddedBroker) -> Iterator[str]:
    yield own.bootstrap
    if own.process is not None:
        own.process.resume()


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(grace=int(GRACE * 1000))


@pytest.fixture
def bench(settings: Settings, start: Start) -> EngineBench:
    return EngineBench(settings, start)


def hang(broker: EmbeddedBroker) -> None:
    """It keeps its connections, and answers nothing."""
    assert broker.process is not None
    broker.process.pause()


def ended(worker: GuardedProcess) -> int:
    """Its status; it ends by itself."""
    began = time.monotonic()
    worker.terminate()
    status = worker.wait(GRACE + MORE)
    assert time.monotonic() - began < GRACE + MORE
    return status


def last_line(worker: GuardedProcess) -> str:
    return worker.output().splitlines()[-1]


def test_with_nothing_under_way_it_leaves_a_broker_alone_that_does_not_answer(own: EmbeddedBroker, bench: EngineBench):
    worker = bench.worker()
    wait_ready(worker)
    bench.send(bench.events, 100)
    bench.wait_for_all()
    hang(own)
    assert ended(worker) == 0, worker.output()
    assert "was not told that this process leaves" in worker.output()
    assert "stopped: everything that was under way was finished (exit status 0)" in last_line(worker)


def test_it_does_not_wait_for_its_last_commit_when_the_broker_does_not_answer(own: EmbeddedBroker, bench: EngineBench):
    """It commits for the group once a second: most of the time something has been applied that is not committed yet."""
    worker = bench.worker()
    wait_ready(worker)

    def applied_and_not_committed() -> bool:
        bench.send(bench.events, 1)
        sent = bench.sent[bench.events]
        eventually(lambda: len(bench.told_of_users()) == sent, within=30, every=0.01)
        return sum(bench.acknowledged().values()) < sent

    eventually(applied_and_not_committed, within=30, every=0)
    hang(own)
    assert ended(worker) == 0, worker.output()
    assert "the group's offsets could not be committed" in worker.output()
    assert "stopped: everything that was under way was finished (exit status 0)" in last_line(worker)


def test_a_crash_is_none_the_less_for_what_hangs_in_the_end(own: EmbeddedBroker, bench: EngineBench):
    worker = bench.worker(module="tests.support.slow_to_close")
    wait_ready(worker)
    bench.send(bench.events, 1)
    assert worker.wait(GRACE + MORE) == exits.CHECKPOINT_FAILED, worker.output()
    assert "nobody has foreseen this" in worker.output()
    assert "what else there was to end (closing connections) did not within" in last_line(worker)


def test_a_recovery_that_waits_for_the_brokers_is_left(own: EmbeddedBroker, bench: EngineBench):
    worker = bench.worker()
    eventually(lambda: "assigned user partitions" in worker.output(), within=30, every=0.01)
    hang(own)
    assert ended(worker) == 0, worker.output()
    assert "stopped: " in last_line(worker)


def test_it_ends_without_a_broker_that_was_killed(own: EmbeddedBroker, bench: EngineBench):
    worker = bench.worker()
    wait_ready(worker)
    own.kill()
    eventually(lambda: "Unable connect" in worker.output(), within=20)
    assert ended(worker) == 0, worker.output()
    assert "stopped: everything that was under way was finished (exit status 0)" in last_line(worker)
    assert "Traceback" not in worker.output()
