"""The one clock. Code that needs the time is given a `Clock`; nothing else reads the machine's."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is written down, monotonic time for what is waited for."""

    def now(self) -> int:
        """Milliseconds since the epoch. Never jumps back and never faster than time passes while the process lives."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, for deadlines."""
        ...


class SystemClock:
    """Wall time read once, at the start, and moved by the monotonic clock: setting the machine's clock does not move
    ours.

    The price is that a clock which was wrong at the start stays wrong until the process restarts.
    """

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()

    def now(self) -> int:
        return int((self._anchor + time.monotonic()) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock for tests that stands still until it is told to `advance`."""

    def __init__(self, now: int = 0) -> None:
        self._now = now
        self._monotonic = 0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic / 1000

    def advance(self, milliseconds: int) -> None:
        """Let time pass, on both faces of the clock."""
        self._now += milliseconds
        self._monotonic += milliseconds

    def jump(self, milliseconds: int) -> None:
        """Set the wall clock forward or back without time passing."""
        self._now += milliseconds
