"""`ringback worker --processes N`: a parent and its children, on the real broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from streams.errors import USAGE
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.topics import create_topics
from tests.support.waiting import eventually

STARTED = re.compile(r"(?:worker|sender) (\d): process (\d+), probes: http://127\.0\.0\.1:(\d+)/")


@pytest.fixture
def configured(settings: Settings, start: Start, tmp_path: Path) -> Settings:
    """Topics and a configuration are there."""
    Bench(settings).create()
    installs = f"{settings.topic_prefix}installs"
    create_topics(settings.bootstrap_servers, {installs: settings.partitions})
    (tmp_path / "apps.yaml").write_text(
        f"sources: [{{topic: {installs}, record: install}}]\napps: [{{id: game, project: p, platform: android}}]\n"
    )
    applied = start("apply", str(tmp_path / "apps.yaml"))
    assert applied.wait(60) == 0, applied.output()
    return settings


def children(parent: GuardedProcess) -> dict[int, int]:
    """The newest process of each number, as the parent's log says it."""
    return {int(number): int(pid) for number, pid, _ in STARTED.findall(parent.output())}


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def said_by(parent: GuardedProcess, number: int, what: str) -> int:
    """How many lines of that child say it."""
    lines = parent.output().splitlines()
    return sum(what in line and f"number={number}" in line for line in lines)


def ready(parent: GuardedProcess) -> None:
    """Until the parent's probes say that all are ready."""
    eventually(lambda: "probes of all: http" in parent.output(), within=60)
    wait_ready(Aggregated(parent), within=60)


class Aggregated:
    """The parent's own probes, for those who look for the first address in a log."""

    def __init__(self, parent: GuardedProcess) -> None:
        self._parent = parent

    def output(self) -> str:
        return self._parent.output().replace("probes of all:", "probes:")


@pytest.mark.timeout(180)
def test_a_child_that_is_killed_comes_back_and_all_end_in_order(configured: Settings, start: Start) -> None:
    parent = start("worker", "--processes", "2")
    ready(parent)
    before = children(parent)
    assert before.keys() == {1, 2}
    for number in before:
        assert said_by(parent, number, "assigned partitions:")
        assert (Path(configured.state_dir) / f"process-{number}" / configured.worker_id).is_dir()

    os.kill(before[1], signal.SIGKILL)
    eventually(lambda: children(parent)[1] != before[1], within=30)
    assert alive(before[2])
    assert "worker 1 was ended by signal 9; it is started again in" in parent.output()
    ready(parent)
    last = children(parent)
    assert last[2] == before[2]
    assert parent.end(30) == 0, parent.output()
    assert not any(alive(pid) for pid in (*before.values(), *last.values()))
    assert "Traceback" not in parent.output()


@pytest.mark.timeout(120)
def test_a_child_that_ends_unasked_comes_back_and_none_outlives_a_parent_that_is_killed(
    settings: Settings, start: Start
) -> None:
    Bench(settings).create()
    parent = start("worker", "--processes", "2")
    eventually(lambda: children(parent).keys() == {1, 2}, within=60)
    unasked = children(parent)[2]
    os.kill(unasked, signal.SIGTERM)
    eventually(lambda: children(parent)[2] != unasked, within=30)
    assert "worker 2 ended without being asked" in parent.output()
    pids = children(parent)
    parent.kill()
    eventually(lambda: not any(map(alive, pids.values())), within=20)
    for number in pids:
        assert said_by(parent, number, "the parent is gone")
        assert said_by(parent, number, "stopping: what is under way is finished first")


@pytest.mark.timeout(120)
def test_what_no_restart_mends_ends_all_with_its_status(
    settings: Settings, make_settings: MakeSettings, start: Start
) -> None:
    Bench(settings).create()
    other = start("worker", with_settings=make_settings(state_dir=Path(settings.state_dir) / "process-2"))
    eventually(lambda: "reading the configuration" in other.output(), within=60)
    parent = start("worker", "--processes", "2")
    assert parent.wait(60) == USAGE, parent.output()
    said = parent.output()
    assert f"is in use: process {children_of(other)[0]} runs with it" in said
    assert said.count("which no restart mends: all end") == 1
    assert "worker 2 ended with exit status 2" in said
    assert "Traceback" not in said
    assert other.end(20) == 0, other.output()


@pytest.mark.timeout(60)
def test_a_usage_error_is_said_once_and_starts_nobody(settings: Settings, start: Start) -> None:
    parent = start("worker", "--processes", "2", RINGBACK_GRACE="long")
    assert parent.wait(30) == USAGE, parent.output()
    assert parent.output().count("RINGBACK_GRACE") == 1
    assert not children(parent)


@pytest.mark.timeout(120)
def test_a_child_that_does_not_end_within_its_grace_is_killed_and_the_status_says_so(
    settings: Settings, make_settings: MakeSettings, start: Start
) -> None:
    Bench(settings).create()
    parent = start("sender", with_settings=make_settings(sender_processes=2, instance_id="here", grace=0))
    eventually(lambda: children(parent).keys() == {1, 2}, within=60)
    pids = children(parent)
    os.kill(pids[1], signal.SIGSTOP)
    assert parent.end(30) == 128 + signal.SIGKILL, parent.output()
    assert "sender 1 did not end within its grace: it is killed" in parent.output()
    assert "sender 2 did not" not in parent.output()
    assert not any(map(alive, pids.values()))


def children_of(guarded: GuardedProcess) -> list[int]:
    """The process ids of what a guard guards."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(guarded.guard_pid)], capture_output=True, check=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.timeout(90)
def test_a_second_worker_with_the_same_state_is_refused_at_once(settings: Settings, start: Start) -> None:
    Bench(settings).create()
    first = start("worker")
    eventually(lambda: "reading the configuration" in first.output(), within=60)
    second = start("worker")
    assert second.wait(30) == USAGE, second.output()
    assert "is in use: process" in second.output()
    assert "RINGBACK_STATE_DIR of its own" in second.output()
    assert "Traceback" not in second.output()

    first.kill()
    third = start("worker")
    eventually(lambda: "reading the configuration" in third.output(), within=60)
    assert "waiting for it" not in third.output()
    assert third.end(20) == 0


@pytest.mark.timeout(90)
def test_the_state_of_a_worker_that_is_ending_is_waited_for(settings: Settings, start: Start) -> None:
    Bench(settings).create()
    first = start("worker")
    eventually(lambda: "reading the configuration" in first.output(), within=60)
    pid = children_of(first)[0]
    second = None
    try:
        first.terminate()
        # Told to end, it stands still with its state for a while.
        eventually(lambda: "stopping: what is under way" in first.output(), within=20, every=0.002)
        os.kill(pid, signal.SIGSTOP)
        second = start("worker")
        eventually(lambda: f"belongs to process {pid}, which is ending: waiting for it" in second.output(), within=60)
        began = time.monotonic()
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: "reading the configuration" in second.output(), within=20)
    assert time.monotonic() - began < 15
    assert first.wait(20) == 0, first.output()
    assert second.end(20) == 0, second.output()
