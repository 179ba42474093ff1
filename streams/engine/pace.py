"""How soon the partitions of a process take their next batches. Pure.

They take them in rounds, all that have something at about the same time: then what they decide goes into one
transaction (see `writer`), and a record waits for some milliseconds to share its cost. A full batch never waits, so
nothing is lost when there is much.
"""

from __future__ import annotations

#: A round begins no sooner after the one before it (seconds).
ROUND_S = 0.04
#: ... and who has something so soon after its beginning takes part.
JOIN_S = 0.004


class Pace:
    """One per process, for all its partitions. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._began = float("-inf")

    def wait(self, now: float) -> float:
        """How long until a batch may be taken that is not full."""
        since = now - self._began
        return 0.0 if since < JOIN_S else max(0.0, ROUND_S - since)

    def taken(self, now: float) -> None:
        """A batch is taken now. A full one, which does not wait for a round, begins none before its time: those that
        wait for it would wait for ever.
        """
        if now - self._began >= ROUND_S:
            self._began = now
