"""How soon a batch of a partition may follow the one before it. Pure.

A checkpoint costs the same whatever is in it, the brokers more than the worker. So a process makes about as many in a
second however many partitions it has and however little comes: with little to do a record waits for some
milliseconds, and latency is spent to share the cost. A full batch never waits, so nothing is lost when there is much.
"""

from __future__ import annotations

from collections.abc import Hashable

#: A batch follows the one before it no sooner than this (seconds).
LEAST_S = 0.02
#: ... and no sooner than this for each partition that has something to do: 200 checkpoints a second in a process.
SHARE_S = 0.005
#: The most that a record is made to wait, however many partitions there are.
MOST_S = 0.25
#: A partition without a batch for so long (seconds) has nothing to do.
RECENT_S = 1.0


class Pace:
    """One per process, for all its partitions. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, float] = {}

    def taken(self, unit: Hashable, now: float) -> float:
        """A batch of this partition begins now; when its next one may, unless it is a full one."""
        self._taken.pop(unit, None)
        self._taken[unit] = now
        # In the order of their last batches: those that have had none for long stand in front.
        for other, at in list(self._taken.items()):
            if now - at <= RECENT_S:
                break
            del self._taken[other]
        return now + min(MOST_S, max(LEAST_S, SHARE_S * len(self._taken)))
