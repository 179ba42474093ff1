"""A call that never returns is left behind, and keeps nothing from ending."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from streams.delivery.calls import Calls, Stuck
from tests.support.waiting import eventually

SOON = 0.05
LONG = 30.0


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_calls_are_made_in_turn_in_one_other_thread() -> None:
    calls, made = Calls("turns"), list[str]()
    for _ in range(3):
        calls.make(lambda: made.append(threading.current_thread().name), time.monotonic() + LONG)
    calls.leave()
    assert made == ["turns", "turns", "turns"]
    eventually(lambda: not threads("turns"), what="the thread has ended")


def test_the_error_of_a_call_is_raised_and_the_next_one_is_made() -> None:
    calls = Calls("errors")
    with pytest.raises(ZeroDivisionError):
        calls.make(lambda: 1 // 0, time.monotonic() + LONG)
    calls.make(lambda: None, time.monotonic() + LONG)
    calls.leave()


def test_a_call_that_does_not_return_is_given_up_and_no_other_is_waited_for() -> None:
    calls, hangs, made = Calls("hangs"), threading.Event(), list[int]()
    began = time.monotonic()
    with pytest.raises(Stuck):
        calls.make(hangs.wait, began + SOON)
    with pytest.raises(Stuck):
        calls.make(lambda: made.append(1), began + LONG)
    assert SOON <= time.monotonic() - began < LONG / 2
    hangs.set()
    eventually(lambda: not threads("hangs"), what="the thread has ended")
    assert not made


def test_whoever_waits_is_let_go_when_nothing_is_wanted_any_more() -> None:
    calls, hangs, ends = Calls("left"), threading.Event(), list[type[Exception]]()

    def wait() -> None:
        try:
            calls.make(hangs.wait, time.monotonic() + LONG)
        except Stuck as error:
            ends.append(type(error))

    waits = threading.Thread(target=wait)
    waits.start()
    calls.leave()
    waits.join(LONG / 2)
    hangs.set()
    assert ends == [Stuck]


def test_a_process_ends_although_a_call_never_returns() -> None:
    program = """
import threading, time
from streams.delivery.calls import Calls, Stuck
try:
    Calls("hangs").make(threading.Event().wait, time.monotonic() + 0.01)
except Stuck:
    print("stuck")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "stuck\n", "")
