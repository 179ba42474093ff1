"""The one clock."""

from __future__ import annotations

import time

import pytest

from streams.clock import Clock, ManualClock, SystemClock


def test_the_wall_clock_may_jump_and_ours_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Clock = SystemClock()
    before = clock.now()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3_600)
    assert before <= clock.now() < before + 60_000


def test_it_starts_at_the_time_of_the_machine() -> None:
    assert abs(SystemClock().now() - time.time() * 1_000) < 1_000


def test_a_manual_clock_moves_when_it_is_told() -> None:
    clock = ManualClock(1_000)
    clock.advance(500)
    assert (clock.now(), clock.monotonic()) == (1_500, 0.5)
    clock.jump(-1_000)
    assert (clock.now(), clock.monotonic()) == (500, 0.5)
