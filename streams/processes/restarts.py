"""What becomes of a child that has ended, by how it and the ones before it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.engine.exits import DISK, TWIN
from streams.errors import RUNTIME, USAGE

#: Statuses of a process that has said what is wrong and what to do: started again, it would say the same. Anything else
#: (also a signal, also 0 without being asked) may be better the next time.
FOR_GOOD = frozenset({RUNTIME, USAGE, DISK, TWIN})

#: A child that lived so long (seconds) was well: what was before it does not count any more.
HEALTHY_S = 60.0
#: How long (seconds) to wait before a child is started again: after one that was well, and at most. Doubled for each
#: one that was not; up to half of it is left to luck, so that children that died together do not come back together.
FIRST_S, LONGEST_S = 0.25, 30.0
DOUBLINGS = 7

#: A process that SIGTERM ended had not begun yet: whoever has begun ends in order.
NOT_BEGUN = -15
KILLED = -9


class Exit(NamedTuple):
    """A child that has ended: its status (below 0: the signal), and how long it lived (seconds)."""

    status: int
    lived: float


class Wait(NamedTuple):
    """Start it again after so long (seconds)."""

    seconds: float


class GiveUp(NamedTuple):
    """A restart mends nothing: all children are to end, and the parent with this status."""

    status: int


def judge(history: Sequence[Exit], luck: float) -> Wait | GiveUp:
    """What to do about the last of a child's exits. `luck` is at least 0 and below 1."""
    if history[-1].status in FOR_GOOD:
        return GiveUp(history[-1].status)
    pause = min(LONGEST_S, FIRST_S * 2 ** min(_unwell(history), DOUBLINGS))
    return Wait(pause * (1 + luck) / 2)


def _unwell(history: Sequence[Exit]) -> int:
    """How many of the newest exits, one after the other, were of children that were never well."""
    count = 0
    for one in reversed(history):
        if one.lived >= HEALTHY_S:
            break
        count += 1
    return count


def together(statuses: Iterable[int]) -> int:
    """The status of a parent that was told to end, by those of its children: 0 when all ended in order, otherwise the
    first other one, as a shell says it (128 and the signal).
    """
    for status in statuses:
        if status not in (0, NOT_BEGUN):
            return 128 - status if status < 0 else status
    return 0


def words(status: int) -> str:
    """How a child ended, for the log."""
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with exit status {status}" if status else "ended without being asked"
