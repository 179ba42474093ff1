"""When the records of a steady load are due. Pure."""

from __future__ import annotations


def due(rate: float, elapsed: float, total: int) -> int:
    """How many of `total` records are to be out after `elapsed` seconds: the first at 0, evenly spaced from there."""
    if elapsed < 0:
        return 0
    return min(total, int(elapsed * rate) + 1)


def pause(rate: float, elapsed: float, tick: float) -> float:
    """Seconds to wait until the next record is due, at least `tick`: what comes due meanwhile goes together."""
    after = (int(elapsed * rate) + 1) / rate - elapsed
    return max(after, tick)
