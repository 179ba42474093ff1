"""The ends of all requests' time, on one shared ticker: a timer of its own for each request costs more than the rest of
its bookkeeping.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from .blame import described

#: A deadline is noticed at most so many seconds late, never early.
TICK_SECONDS = 0.05


class Timed(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """The time is over. What it raises is only told to the loop."""
        ...

    def close(self) -> None:
        """Nobody looks after its time any more."""
        ...


class Deadlines:
    """Make it inside the running event loop."""

    def __init__(self) -> None:
        # To ask for the loop that runs costs a system call.
        self._loop = asyncio.get_running_loop()
        self._slots: dict[int, set[Timed]] = {}
        self._looked = int(time.monotonic() / TICK_SECONDS)
        self._timer: asyncio.TimerHandle | None = None

    def set(self, timed: Timed, at: float) -> int:
        """Let `timed` expire at `at` (monotonic seconds) unless it is dropped before; what to drop it with."""
        if self._timer is None:
            self._looked = int(time.monotonic() / TICK_SECONDS)
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        slot = max(int(at / TICK_SECONDS), self._looked) + 1
        due = self._slots.get(slot)
        if due is None:
            due = self._slots[slot] = set()
        due.add(timed)
        return slot

    def drop(self, timed: Timed, slot: int) -> None:
        """It is over in time."""
        due = self._slots.get(slot)
        if due is not None:
            due.discard(timed)

    def _tick(self) -> None:
        now = int(time.monotonic() / TICK_SECONDS)
        for slot in range(self._looked + 1, now + 1):
            due = self._slots.get(slot)
            while due:
                # One that expires may let others go.
                self._end(due.pop().expire)
            self._slots.pop(slot, None)
        self._looked = max(now, self._looked)
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick) if self._slots else None

    def _end(self, end: Callable[[], None]) -> None:
        try:
            end()
        except Exception as error:
            # The others' time goes on. The message may hold a secret.
            self._loop.call_exception_handler({"message": f"the end of a request's time: {described(error)}"})

    def close(self) -> None:
        """Stop ticking, and tell all that are left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._slots:
            _, due = self._slots.popitem()
            while due:
                self._end(due.pop().close)
