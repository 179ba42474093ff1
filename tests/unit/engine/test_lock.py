"""The lock of a state directory (`streams.engine.lock`), on the real file system; two processes are two open files."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from streams.engine.lock import NOTICE_S, StateLock
from streams.engine.recovery import Abandoned
from streams.errors import USAGE, Stop
from tests.support.waiting import eventually


def never() -> bool:
    return False


@pytest.fixture
def held(tmp_path: Path) -> StateLock:
    """A process that has the state."""
    lock = StateLock(tmp_path / "state")
    lock.take(0, never)
    return lock


def test_a_state_that_somebody_works_with_is_refused_soon_with_who_it_is(held: StateLock, tmp_path: Path):
    began = time.monotonic()
    with pytest.raises(Stop, match=f"in use: process {os.getpid()} runs with it") as refused:
        StateLock(tmp_path / "state").take(60, never)
    assert time.monotonic() - began < NOTICE_S + 5
    assert refused.value.exit_code == USAGE
    assert "RINGBACK_STATE_DIR" in refused.value.remedy


def test_one_that_is_ending_is_waited_for(held: StateLock, tmp_path: Path):
    held.ending()
    second = StateLock(tmp_path / "state")
    taken = threading.Thread(target=second.take, args=[60, never])
    taken.start()
    taken.join(NOTICE_S + 0.3)
    assert taken.is_alive()
    held.release()
    eventually(lambda: not taken.is_alive())
    with pytest.raises(Stop):
        StateLock(tmp_path / "state").take(0, never)
    second.release()


def test_the_wait_is_given_up_when_the_process_is_to_end(held: StateLock, tmp_path: Path):
    held.ending()
    with pytest.raises(Abandoned):
        StateLock(tmp_path / "state").take(60, lambda: True)


def test_after_a_refusal_nothing_is_left_open(held: StateLock, tmp_path: Path):
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    with pytest.raises(Stop):
        StateLock(tmp_path / "state").take(0, never)
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_a_state_that_was_let_go_of_is_free(held: StateLock, tmp_path: Path):
    held.release()
    held.ending()
    held.release()
    StateLock(tmp_path / "state").take(0, never)


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Stop, match="cannot be used"):
        StateLock(tmp_path / "file" / "state").take(0, never)
