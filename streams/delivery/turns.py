"""Whose turn it is: of all lanes that may start a request, each starts one, then the next, a few in a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

L = TypeVar("L")

#: So many requests are started before the loop turns: what is under way must be read in time.
STARTS_PER_TURN = 16


class Turns(Generic[L]):
    """The lanes that may be able to start a job. `start` starts a lane's next one, and says whether it may have
    another; `may` says whether any may be started at all. For one event loop.
    """

    def __init__(self, start: Callable[[L], bool], may: Callable[[], bool]) -> None:
        self._start, self._may = start, may
        self._ready: dict[L, None] = {}
        self._called = False
        #: An error in `start`: its job would stay unsettled, and its slot taken, for ever.
        self.broken: Exception | None = None

    def add(self, lane: L) -> None:
        """The lane has a job that might be started now."""
        self._ready[lane] = None
        if not self._called:
            self.go_on()

    def go_on(self) -> None:
        """Look again soon whether something may be started."""
        if self._ready and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._some)

    def _some(self) -> None:
        self._called = False
        try:
            self._start_some()
        except Exception as error:
            self.broken = error

    def _start_some(self) -> None:
        ready = self._ready
        for _ in range(STARTS_PER_TURN):
            if not ready or not self._may():
                break
            lane = next(iter(ready))
            del ready[lane]
            if self._start(lane):
                ready[lane] = None
        if ready and self._may():
            self.go_on()
