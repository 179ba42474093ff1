"""The times that a lane has given to jobs which wait for them in delay topics. Pure: the time is passed in.

Jobs that wait cannot be told anything. So when a lane stands still, that is noted here, and each job is told when it is
looked at: its time, and whatever the lane stood still for since it was written down. All keep their places, and the end
of a stand-still is no herd.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

#: So many moves are remembered, and then the newer half of them: those of hours.
MOST_MOVES = 1_000
#: Moves within so long (ms) are one.
SAME_MOVE = 100


class Reserved(NamedTuple):
    """A job's place: the time that it was given, and when that was written down (both ms)."""

    at: int
    since: int


class Schedule:
    """What was given so far, and how it has moved since."""

    def __init__(self) -> None:
        #: The first time that is nobody's. It may lie in the past.
        self.free = 0.0
        #: Nothing was given for before this; once it is past, it says nothing.
        self.begins = 0.0
        self._moved_at: list[int] = []
        #: By how much all has been moved, before the first of the moves, and after each of them.
        self._totals = [0.0]

    def give(self, earliest: float, spacing: float, now: int) -> float:
        """The first time that is free and not before `earliest`; the next one is `spacing` later."""
        at = max(self.free, earliest)
        if self.free <= now:
            self.begins = at
        self.free = at + spacing
        return at

    def leaves(self, wait: float, now: int) -> bool:
        """Whether what waits for so long (ms) starts before all that was given for later."""
        return now + wait < self.begins

    def cover(self, begins: float, ends: float, now: int) -> None:
        """All between these times is given."""
        if self.free <= now:
            self.begins = begins
        self.begins, self.free = min(self.begins, begins), max(self.free, ends)

    def clear(self) -> None:
        """What was given is no longer waited for."""
        self.free = self.begins = 0.0

    def move(self, by: float, now: int) -> None:
        """All that is given for later than now is so much later; what is written down from now on knows it."""
        if self.free > now:
            self.free += by
        if self.begins > now:
            self.begins += by
        while self._moved_at and self._moved_at[-1] > now:
            # The clock was put back. What it did is forgotten: nobody is to be moved by it again and again.
            self._moved_at.pop()
            self._totals.pop()
        if self._moved_at and now - self._moved_at[-1] < SAME_MOVE:
            self._totals[-1] += by
            return
        self._moved_at.append(now)
        self._totals.append(self._totals[-1] + by)
        if len(self._moved_at) > MOST_MOVES:
            del self._moved_at[: MOST_MOVES // 2], self._totals[: MOST_MOVES // 2]

    def place(self, reserved: Reserved, now: int) -> float:
        """The time that it has now."""
        if not self._moved_at or self._moved_at[-1] <= reserved.since:
            return reserved.at
        before = self._totals[bisect_right(self._moved_at, reserved.since)]
        return reserved.at + self._totals[bisect_right(self._moved_at, now)] - before
