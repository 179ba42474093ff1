"""The circuit breaker of one partner. Pure: the time is passed in.

Closed, it counts; when at least `least` requests of the last window failed at the rate `share` or above, it opens
and nothing is sent for a while. Then single probes are let through: `probes` good ones in a row close it, a bad one
opens it for twice as long. What waits for an open breaker is charged no attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.config import SECOND


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """When to open, and for how long (milliseconds). The pauses are as long as delay topics (`tiers`): what waits for
    the end of one is written down once.
    """

    window: int = 30 * SECOND
    least: int = 20
    share: float = 0.5
    first_pause: int = 16 * SECOND
    longest_pause: int = 256 * SECOND
    probes: int = 3


class Breaker:
    """Counts the outcomes of a partner and says whether it may be asked."""

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._pause = limits.first_pause
        self._good_probes = 0
        self._since = 0
        self._now_counts = [0, 0]
        self._last_counts = [0, 0]
        self.until = 0
        #: When it opened last.
        self.opened = -1
        #: Since when it has not been closed; None: it is.
        self.down_since: int | None = None
        self.state: Literal["closed", "open", "probing"] = "closed"

    def look(self, now: int) -> str:
        """The state at `now`; an open breaker whose pause is over is probing from then on."""
        if self.state == "open" and now >= self.until:
            self.state = "probing"
            self._good_probes = 0
        return self.state

    def record(self, good: bool, now: int, began: int) -> None:
        """Count the outcome of a request that was sent at `began` and ended at `now`. Those of requests sent before it
        opened change nothing, however late they end: they are no probes, and say nothing of how the partner is now.
        """
        if began <= self.opened:
            return
        state = self.look(now)
        if state == "probing":
            self._probe(good, now)
        elif state == "closed":
            self._count(good, now)
            if not good and self._is_bad():
                self._open(now)

    def _probe(self, good: bool, now: int) -> None:
        if not good:
            self._pause = min(self._pause * 2, self._limits.longest_pause)
            self._open(now)
            return
        self._good_probes += 1
        if self._good_probes >= self._limits.probes:
            self.state = "closed"
            self.down_since = None
            self._pause = self._limits.first_pause
            self._now_counts, self._last_counts = [0, 0], [0, 0]

    def _count(self, good: bool, now: int) -> None:
        # Two halves of the window, the older of which is dropped as a whole: constant memory and time.
        half = self._limits.window // 2
        age = now - self._since
        if age >= half:
            self._last_counts = self._now_counts if age < 2 * half else [0, 0]
            self._now_counts = [0, 0]
            self._since = now
        self._now_counts[good] += 1

    def _is_bad(self) -> bool:
        bad = self._now_counts[False] + self._last_counts[False]
        total = bad + self._now_counts[True] + self._last_counts[True]
        return total >= self._limits.least and bad >= self._limits.share * total

    def _open(self, now: int) -> None:
        self.state = "open"
        self.opened = now
        if self.down_since is None:
            self.down_since = now
        self.until = now + self._pause
        self._now_counts, self._last_counts = [0, 0], [0, 0]
