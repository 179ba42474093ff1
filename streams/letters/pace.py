"""How fast letters are replayed: how many at once, and when. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: A transaction has so many letters at most, and about so many bytes: what is under way when it breaks off is done
#: again.
MOST_AT_ONCE = 1_000
MOST_BYTES = 16 * 1024 * 1024
#: With a rate, a transaction has what falls into so much time (seconds).
EVERY = 0.2


class Pace(NamedTuple):
    """`rate` letters a second; None: as fast as they are written."""

    rate: float | None = None

    @property
    def at_once(self) -> int:
        """How many go into one transaction."""
        return MOST_AT_ONCE if self.rate is None else max(1, min(MOST_AT_ONCE, int(self.rate * EVERY)))

    def due(self, count: int) -> float:
        """How many seconds after the beginning the next may be written, when `count` have been."""
        return 0.0 if self.rate is None else count / self.rate
