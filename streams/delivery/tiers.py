"""In which delay topic a job waits. Pure.

There is one topic for each delay of `base` · 2ᵏ. All records of a tier wait equally long from the moment they are
appended, so that the order of their ends is the order of the log: only its head is ever looked at. A job hops to the
largest tier that does not end after its due time; what is left at the end, less than `base`, it waits in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.config import SECOND

#: A wait that is shorter than a tier by at most this part of the shortest one is as long as the tier, where it may be.
NEARLY = 1 / 16


@dataclass(frozen=True, slots=True)
class Tiers:
    """The delays; `base` is the shortest one in milliseconds."""

    base: int = 8 * SECOND
    count: int = 9

    def delay(self, tier: int) -> int:
        """How long the records of `tier` wait, in milliseconds."""
        return self.base << tier

    def tier_for(self, wait: int) -> int | None:
        """The tier for a job that is due in `wait` milliseconds; None: it waits in memory."""
        if wait < self.base:
            return None
        return min((wait // self.base).bit_length() - 1, self.count - 1)

    def ends(self, tier: int, appended: int) -> int:
        """When a record of `tier` that was appended at `appended` is to be looked at."""
        return appended + self.delay(tier)

    def rounded(self, wait: int) -> int:
        """The wait of a job that need not be on time to the half second: not just below a tier, from where it would hop
        through all that are shorter.
        """
        above = self.base << (max(wait, 0) // self.base).bit_length()
        return above if above - wait <= self.base * NEARLY and above <= self.delay(self.count - 1) else wait

    def within(self, shortest: tuple[int, int], wait: int) -> int:
        """The longest tier that is no longer than `wait`, between two that are told in shortest tiers."""
        least, most = (self.base * one for one in shortest)
        return self.delay(self.tier_for(min(max(wait, least), most)) or 0)
