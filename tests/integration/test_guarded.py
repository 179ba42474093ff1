"""A guarded process ends with whoever started it, and does what it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streams.local.guarded import GuardedProcess
from tests.support.processes import ROOT
from tests.support.waiting import eventually


@pytest.fixture
def name() -> str:
    """An argument by which a process of this test is found."""
    return f"guarded-{uuid.uuid4().hex}"


@pytest.fixture
def sleeper(tmp_path: Path, name: str) -> Iterator[GuardedProcess]:
    """A command that sleeps longer than any test, and says when it is asked to end."""
    code = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('up', flush=True)\n"
    process = GuardedProcess([sys.executable, "-c", code + "time.sleep(300)", name], tmp_path / "log")
    eventually(lambda: process.output() == "up\n")
    yield process
    process.kill()


def commands(name: str) -> list[psutil.Process]:
    """The guarded processes of that name, without their guards."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if name in words and not any("guard.py" in word for word in words):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_ends_as_it_wants_when_it_is_asked_to(sleeper: GuardedProcess) -> None:
    assert sleeper.running
    assert sleeper.exit_code is None
    assert sleeper.end(10) == 7
    assert sleeper.exit_code == 7


def test_ends_at_once_when_it_is_killed(sleeper: GuardedProcess, name: str) -> None:
    sleeper.kill()
    assert sleeper.exit_code == 128 + signal.SIGKILL
    assert commands(name) == []
    sleeper.kill()


def test_is_killed_when_it_does_not_end_in_time(tmp_path: Path) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(300)"
    )
    process = GuardedProcess([sys.executable, "-c", code], tmp_path / "log")
    eventually(lambda: process.output() == "up\n")
    assert process.end(0.3) == 128 + signal.SIGKILL


def test_stands_still_and_goes_on(sleeper: GuardedProcess, name: str) -> None:
    (command,) = commands(name)
    sleeper.pause()
    eventually(lambda: command.status() == psutil.STATUS_STOPPED)
    sleeper.resume()
    eventually(lambda: command.status() != psutil.STATUS_STOPPED)


def test_a_command_that_does_not_exist_ends_with_its_reason(tmp_path: Path) -> None:
    process = GuardedProcess(["/no/such/command"], tmp_path / "log")
    assert process.wait(10) != 0
    assert "/no/such/command" in process.log_tail()


@pytest.mark.parametrize("forks", [False, True], ids=["alone", "a fork keeps the pipe open"])
def test_ends_when_its_parent_is_killed(tmp_path: Path, name: str, forks: bool) -> None:
    parent = f"""
        import os, pathlib, time
        from streams.local.guarded import GuardedProcess
        GuardedProcess(["python3", "-c", "import time; time.sleep(300)", {name!r}],
                       pathlib.Path({str(tmp_path / "log")!r}))
        if {forks} and os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        print("up", flush=True)
        time.sleep(300)
    """
    command = [sys.executable, "-c", textwrap.dedent(parent)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        eventually(lambda: commands(name))
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not commands(name), within=5)
