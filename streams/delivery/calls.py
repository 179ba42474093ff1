"""Calls that may never return are made in a thread of their own, which is left behind when one does not.

librdkafka's `send_offsets_to_transaction` does not keep the time it is given (its issues 5456 and 5511): when the
group's coordinator goes away at the wrong moment, the call waits for a change of state that has long happened, and goes
on waiting when the broker is back. Nothing ends such a call; whoever made it can only go on without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue


class Stuck(Exception):
    """The call has not returned in time, or nobody waits for it any more; it may still be under way."""


class Calls:
    """Makes one call after the other, in a thread that does not keep the process from ending. For one caller."""

    def __init__(self, name: str) -> None:
        self._waiting: SimpleQueue[_Call | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._left = False
        threading.Thread(target=_make_all, args=(self._waiting, self._changed), name=name, daemon=True).start()

    def make(self, step: Callable[[], object], until: float) -> None:
        """Make the call and return when it has; raises what it raises. Blocks up to `until` (as time.monotonic says).

        Raises `Stuck` when it has not returned by then, or when `leave` was called; then, and from then on at once.
        """
        call = _Call(step)
        with self._changed:
            if not self._left:
                self._waiting.put(call)
                self._changed.wait_for(lambda: call.ended or self._left, max(0.0, until - time.monotonic()))
            if not call.ended:
                self._leave()
                raise Stuck
        if call.error is not None:
            raise call.error

    def leave(self) -> None:
        """Wait for nothing any more. The thread ends when the call that is under way does. From any thread."""
        with self._changed:
            self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._waiting.put(None)
            self._changed.notify_all()


class _Call:
    def __init__(self, step: Callable[[], object]) -> None:
        self.step = step
        self.ended = False
        self.error: BaseException | None = None


def _make_all(waiting: SimpleQueue[_Call | None], changed: threading.Condition) -> None:
    while (call := waiting.get()) is not None:
        try:
            call.step()
        except BaseException as error:
            call.error = error
        with changed:
            call.ended = True
            changed.notify_all()
