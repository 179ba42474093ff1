"""A signal ends a demo at any moment, but nothing is torn apart that must be whole."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from streams.demo.interrupts import SIGNALS, Interrupted, Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    # As a terminal starts it, however the tests were started.
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (*SIGNALS, signal.SIGALRM)}
    made = Interrupts()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_exception(interrupts: Interrupts, number: signal.Signals) -> None:
    interrupts.check()
    with pytest.raises(Interrupted):
        signal.raise_signal(number)
    with pytest.raises(Interrupted):
        interrupts.check()


def test_the_end_of_the_terminal_is_ignored_where_it_was() -> None:
    """As `nohup` starts a command."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        made = Interrupts()
        made.install()
        signal.raise_signal(signal.SIGHUP)
        assert made.asked == 0
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_within_held_it_waits_for_the_end_of_the_block(interrupts: Interrupts) -> None:
    done = []

    def block() -> None:
        with interrupts.held():
            with interrupts.held():
                signal.raise_signal(signal.SIGINT)
                interrupts.check()
            done.append("the rest of the block")

    with pytest.raises(Interrupted):
        block()
    assert done == ["the rest of the block"]


def test_where_python_would_swallow_it_it_waits_a_moment(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    swallowed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)

    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def wait() -> None:
        Dying()
        time.sleep(10)

    with pytest.raises(Interrupted):
        wait()
    assert not swallowed
    assert interrupts.asked == 1


def test_who_cleans_up_is_not_interrupted_but_told(interrupts: Interrupts) -> None:
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)
    with interrupts.closing():
        assert not interrupts.hurry
        signal.raise_signal(signal.SIGINT)
        assert interrupts.hurry


def test_after_the_end_nothing_happens(interrupts: Interrupts) -> None:
    interrupts.over()
    signal.raise_signal(signal.SIGTERM)
    assert interrupts.asked == 0
