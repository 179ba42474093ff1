"""Static membership: a worker with an `instance_id` that is back within its session has its partitions again, and the
others notice nothing; of two with one id the older one goes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engine import exits
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, owns, traffic, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.waiting import eventually

#: What the group gives a member to be heard of again (milliseconds): longer than any restart takes.
SESSION = 90_000
ASSIGNED = "assigned partitions: "


@pytest.fixture
def bench(settings: Settings, start: Start) -> EngineBench:
    return EngineBench(settings, start)


@pytest.fixture
def named(make_settings: MakeSettings, tmp_path: Path):
    """Settings of an instance, with state of its own."""
    return lambda name: make_settings(instance_id=name, state_dir=tmp_path / name, session=SESSION)


def assignments(worker: GuardedProcess) -> list[str]:
    """What the worker was assigned, in its own words, one after the other."""
    return [line.split(ASSIGNED)[1].split("[")[0] for line in worker.output().splitlines() if ASSIGNED in line]


def restart(bench: EngineBench, worker: GuardedProcess, settings: Settings, kill: bool) -> GuardedProcess:
    """End a worker, and start it anew; returns when it has been assigned its partitions."""
    if kill:
        worker.kill()
    else:
        # Told to end, a static member does not leave the group either.
        assert worker.end(20) == 0, worker.output()
    again = bench.worker(settings)
    eventually(lambda: assignments(again), within=60)
    return again


@pytest.mark.timeout(240)
def test_a_static_member_that_is_back_within_its_session_disturbs_nobody(bench: EngineBench, named):
    first, second = bench.worker(named("one")), bench.worker(named("two"))
    eventually(lambda: owns(first, 2) and owns(second, 2), within=60)
    wait_ready(first)
    wait_ready(second)
    ours, others = assignments(first), assignments(second)
    with traffic(bench):
        second = restart(bench, second, named("two"), kill=True)
        assert assignments(second) == others[-1:]
        second = restart(bench, second, named("two"), kill=False)
        assert assignments(second) == others[-1:]
        assert assignments(first) == ours
        # One of the two is the group's leader.
        first = restart(bench, first, named("one"), kill=True)
        assert assignments(first) == ours[-1:]
    bench.wait_for_all()
    bench.check()
    assert assignments(second) == others[-1:]


@pytest.mark.timeout(240)
def test_of_two_with_one_instance_id_the_older_one_ends(bench: EngineBench, named, make_settings, tmp_path: Path):
    older = bench.worker(named("one"))
    with traffic(bench):
        wait_ready(older)
        newer = bench.worker(make_settings(instance_id="one", state_dir=tmp_path / "elsewhere"))
        assert older.wait(90) == exits.TWIN, older.output()
        assert "with the instance_id one: it has the partitions now" in older.output()
        assert "Traceback" not in older.output()
        wait_ready(newer)
    bench.wait_for_all()
    bench.check()
    assert newer.end(20) == 0, newer.output()
