"""How many records a batch takes at most. Pure.

With much to do a large batch is cheaper: a device that is met several times in it has its state read, encoded and
written once, and all else that is done once for each batch is shared. What bounds it is memory, for what was decided is
held until it is committed, and time, for while a batch is decided nothing else is done.
"""

from __future__ import annotations

#: All batches of a process that are under way have at most so many records together: that is some tens of megabytes.
UNDER_WAY = 32_000
#: To decide a batch takes about so long (seconds) at most: until then no probe and no look-up is answered.
DECIDE_S = 0.25
#: A batch may always have so many, however many partitions there are and whatever a record costs.
LEAST = 100
#: How much of what is known counts still when as much again has been learned as a batch may have.
KEPT = 0.5


class Portion:
    """One per process. `most`: records, by the settings."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: What was decided, and how long it took (seconds), the older the less.
        self._records = self._seconds = 0.0

    def decided(self, records: int, seconds: float) -> None:
        """So many records were decided in so long a time."""
        if not records:
            return
        kept = KEPT ** (records / self._most)
        self._records = self._records * kept + records
        self._seconds = self._seconds * kept + seconds

    def size(self, partitions: int) -> int:
        """How many records the next batch may have, when so many partitions may have one under way."""
        shared = UNDER_WAY // max(1, partitions)
        most = min(self._most, max(LEAST, shared))
        if self._seconds * most <= DECIDE_S * self._records:
            return most
        return min(most, max(LEAST, int(DECIDE_S * self._records / self._seconds)))
