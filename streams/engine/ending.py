"""The end of a worker in order, after SIGTERM: it comes in time, whether or not Kafka answers.

First what is under way is finished, for as long as the grace is; brokers that are away may come back meanwhile. If it
is not finished then, the process ends at once: what was not committed has not happened. When it is finished, nothing
can be lost any more: the rest is leaving the group and closing, and is waited for no longer than it should take.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from streams.engine import exits

log = logging.getLogger(__name__)

#: The rest may take what is left of the grace, but no longer than the one, and at least the other (seconds).
CLOSING_S, LEAST_CLOSING_S = 5.0, 3.0


def closing(left: float) -> float:
    """How long (seconds) the rest may take, when so much of the grace is left."""
    return min(CLOSING_S, max(LEAST_CLOSING_S, left))


class Ending:
    """One per process. `grace` in seconds; `status`: the exit status, as far as it is known when it is asked for."""

    def __init__(self, grace: float, status: Callable[[], int]) -> None:
        self._grace, self._status = grace, status
        self._until = 0.0
        #: What is waited for that could as well be left, in words.
        self.waits_for = "partitions being opened"

    async def finish(self, work: Coroutine[Any, Any, None], under_way: Callable[[], Sequence[str]]) -> None:
        """Wait for `work`, which ends everything that was begun; ends the process when that exceeds the grace.
        `under_way`: who still has something to commit.
        """
        self._until = time.monotonic() + self._grace
        finishing = asyncio.create_task(work)
        await asyncio.wait([finishing], timeout=self._grace)
        if finishing.done():
            finishing.result()
        elif left := under_way():
            exits.die(
                exits.CHECKPOINT_FAILED,
                f"batches under way did not end within the grace of {self._grace:g} s ({', '.join(left)}): they are "
                "applied after the next start",
            )
        else:
            self._end(self._grace)

    def hurry(self) -> None:
        """Everything is finished. From now on the process has ended soon, whatever hangs."""
        self.waits_for = "leaving the group"
        within = closing(self._until - time.monotonic())
        # A thread: also when the event loop stands still, or has ended, and the interpreter waits for other threads.
        timer = threading.Timer(within, self._end, [within])
        timer.daemon = True
        timer.start()

    def ended(self) -> None:
        """All that is left is the interpreter's own end."""
        self.waits_for = "threads"
        log.info("stopped: everything that was under way was finished (exit status %d)", self._status())

    def _end(self, within: float) -> None:
        status = self._status()
        exits.leave_soon(status)
        log.warning(
            "stopped: no batch was under way any more; what else there was to end (%s) did not within %.1f s and is "
            "left: is Kafka away? (exit status %d)",
            self.waits_for,
            within,
            status,
        )
        exits.leave(status)
