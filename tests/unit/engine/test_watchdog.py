"""What the watchdog expects to move, and what excuses standing still."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.engine import exits, watchdog
from streams.engine.merge import Wait
from streams.engine.remaining import Remaining
from streams.engine.stages import Unit
from streams.engine.watchdog import Watchdog, signs_of
from streams.metrics import Metrics
from streams.probes import Readiness
from streams.settings import Settings
from tests.support.unread import status_unread
from tests.support.waiting import eventually

UNIT = Unit("user", 3)


def partition(**more: object) -> Any:
    """One that runs and has nothing to do."""
    state = {"busy": False, "closing": False, "running": True, "moved_at": 1.0, "remaining": None}
    return SimpleNamespace(**state | more)


def said(one: Any, waiting: str | None = None, kafka: bool = True) -> str | None:
    """What is expected of it, in words; None: nothing."""
    sign = signs_of(cast(Any, {UNIT: one}), {} if waiting is None else {UNIT: waiting}, kafka).get("user partition 3")
    return sign and sign.what


def test_a_partition_without_work_need_not_move() -> None:
    assert said(partition()) is None


def test_one_with_input_waiting_must_and_the_reason_says_what_for() -> None:
    assert said(partition(), waiting="") == "has not moved, with input waiting,"
    found = said(partition(), waiting=str(Wait(("installs",), 77)))
    assert found == "has not moved, with input waiting (it waits for installs to pass append time 77),"


@pytest.mark.parametrize("closing", [False, True])
def test_a_batch_that_is_under_way_must_end_also_in_a_rebalance(closing: bool) -> None:
    assert said(partition(busy=True, closing=closing)) == "has had a batch under way"


def test_without_brokers_nothing_is_expected() -> None:
    assert said(partition(busy=True), waiting="", kafka=False) is None


def test_a_look_that_fails_does_not_end_the_watch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread looks at what the event loop changes, and nothing else would notice that it is gone."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.01)
    readings: Any = SimpleNamespace(
        readiness=Readiness("kafka"), metrics=Metrics(), waiting={}, kafka=property(lambda _: None)
    )
    looks: list[float] = []

    def look(_: Watchdog, looked: float) -> None:
        looks.append(looked)
        raise IndexError

    monkeypatch.setattr(Watchdog, "_look", look)
    watch = Watchdog(Settings(), {}, readings)
    watching = threading.Thread(target=watch._run, daemon=True)
    watching.start()
    eventually(lambda: len(looks) > 2, within=5)
    watch.stop()
    watching.join(5)
    assert "the watchdog could not look" in caplog.text


#: A process whose event loop comes to stand still, in one of two ways.
STUCK = """
import asyncio, logging, sys, time
from types import SimpleNamespace
from streams import logs
from streams.engine import exits, watchdog
from streams.metrics import Metrics
from streams.probes import Readiness
from streams.settings import Settings

watchdog.LOOK_S, exits.LAST_WORDS_S = 0.05, 0.5
logs.setup("info", "json")
readings = SimpleNamespace(readiness=Readiness("kafka"), metrics=Metrics(), waiting={}, kafka=True)

async def main():
    watch = watchdog.Watchdog(Settings(stuck_after=1_000, stuck_exit=500), {}, readings)
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.1)
    while sys.stderr:
        logging.error("x" * 1_000)
    time.sleep(60)

asyncio.run(main())
"""


def test_a_process_whose_log_nobody_reads_is_ended() -> None:
    """Its event loop stands still in the midst of a line, and whoever wants to log waits behind it."""
    assert status_unread(STUCK) == exits.STUCK


def test_a_process_without_standard_error_is_ended() -> None:
    shell = ["sh", "-c", 'exec "$0" -c "$1" 2>&-']
    assert subprocess.run([*shell, sys.executable, STUCK], timeout=20, check=False).returncode == exits.STUCK


def test_the_stacks_are_those_of_all_threads_with_their_names() -> None:
    done = threading.Event()
    waiting = threading.Thread(target=done.wait, name="one that waits", daemon=True)
    waiting.start()
    try:
        told = watchdog.stacks()
    finally:
        done.set()
    assert "(one that waits)" in told
    assert "(MainThread)" in told
    assert f'"{__file__}", line' in told
    assert " in wait\n" in told


def test_a_recovery_must_get_on_unless_it_waits_for_its_turn() -> None:
    way = Remaining(5, 100)
    recovering = partition(running=False, remaining=way)
    assert said(recovering) is None
    way.begin(1.0)
    assert said(recovering) == "has been recovering at changelog offset 5"
    assert said(partition(running=False)) == "has been recovering", "it is being fenced"


def test_a_recovery_that_reads_on_moves() -> None:
    way = Remaining(5, 100)
    way.begin(1.0)
    recovering = {UNIT: partition(running=False, remaining=way)}
    before = signs_of(cast(Any, recovering), {}, True)
    way.step(6, 2.0)
    after = signs_of(cast(Any, recovering), {}, True)
    assert before[str(UNIT)].token != after[str(UNIT)].token
