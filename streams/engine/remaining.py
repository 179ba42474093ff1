"""How much of a changelog is left to be read, and about how long that takes. Pure: told offsets and moments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Remaining:
    """The way of one recovery, from the offset where it begins to `end`. One thread writes it, any may read it."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        #: The offset that is read next.
        self.at = start
        #: Monotonic seconds: when reading began (None: it waits for its turn), and of the newest step.
        self.begun: float | None = None
        self.told: float = 0.0

    def begin(self, now: float) -> None:
        """It is its turn to read."""
        self.begun = self.told = now

    def step(self, at: int, now: float) -> None:
        """Read up to, not including, this offset."""
        self.at, self.told = at, now

    @property
    def left(self) -> int:
        """Offsets still to be read: the records left, or more, since compaction leaves gaps."""
        return max(0, self.end - self.at)


class Estimate(NamedTuple):
    """Of all recoveries of a process together. `seconds` is None as long as nothing has been read."""

    records: int
    seconds: float | None

    def __str__(self) -> str:
        about = "" if self.seconds is None else f", about {self.seconds:.0f} s"
        return f"{self.records:,} changelog records left{about}"


def estimate(recoveries: Iterable[Remaining], now: float) -> Estimate:
    """What is left of them, at the rate at which they have been read together so far."""
    recoveries = list(recoveries)
    left = sum(one.left for one in recoveries)
    read = sum(one.at - one.start for one in recoveries)
    begun = min((one.begun for one in recoveries if one.begun is not None), default=now)
    if not read or now <= begun:
        return Estimate(left, None if left else 0.0)
    return Estimate(left, left * (now - begun) / read)
