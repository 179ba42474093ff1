"""The limit on bad input (contract §3): a source that is mostly bad is wrong as a whole, and pauses.

Pure: `Limit` is the policy, `Quarantine` counts one source's records in the order they are read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """More than `percent` of the newest `window` records bad: the source pauses. 100 never pauses.

    The share is of a whole window, also while fewer have been read: a handful of bad records after a start stops
    nothing, and a source that is all bad stops before the window is full.
    """

    window: int
    percent: int

    def exceeded(self, bad: int) -> bool:
        """Whether `bad` of the newest `window` records are too many."""
        return bad * 100 > self.window * self.percent


class Quarantine:
    """What one source's newest records were like. Costs an addition for a good record."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._read = 0
        self._bad: deque[int] = deque()

    def good(self, count: int = 1) -> None:
        """`count` usable records have been read."""
        self._read += count

    def bad(self) -> bool:
        """A bad record has been read. True when the source must pause: nothing more of it may be read."""
        self._read += 1
        self._bad.append(self._read)
        return self.exceeded

    @property
    def exceeded(self) -> bool:
        """Whether too many of the newest records are bad."""
        while self._bad and self._bad[0] <= self._read - self._limit.window:
            self._bad.popleft()
        return self._limit.exceeded(len(self._bad))

    def reason(self) -> str:
        """For the alert: how bad it is."""
        return (
            f"{len(self._bad)} of the newest {min(self._read, self._limit.window)} records are bad "
            f"(limit {self._limit.percent} % of {self._limit.window})"
        )

    def reset(self) -> None:
        """Forget: an operator has resumed the source."""
        self._read = 0
        self._bad.clear()
