"""When a child that hangs is killed. Pure.

A child that is stuck ends by itself, and says what every thread of it was doing: `stuck_after` until it says that it is
stuck, `stuck_exit` until it ends. Its parent does not know since when it stands still, only since when it was not seen
well, so it waits for both and a little more, and kills what has not managed even that.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.settings import Settings

#: Beyond that a child may take so long (seconds): it looks at itself once a second, and writes its stacks.
BEYOND_S = 10.0


class Patience(NamedTuple):
    """`limit`: so many seconds. `stuck_too`: it also ends a child that answers, and says that it is stuck."""

    limit: float
    stuck_too: bool

    def is_over(self, now: float, well_at: float, answered_at: float) -> bool:
        """Whether a child is to be killed that was last seen well, and last answered at all, at these times."""
        return now - (well_at if self.stuck_too else answered_at) > self.limit


def patience(settings: Settings) -> Patience:
    """What these settings give each child. Without `stuck_exit` only one that says nothing is killed."""
    return Patience((settings.stuck_after + settings.stuck_exit) / 1000 + BEYOND_S, bool(settings.stuck_exit))
