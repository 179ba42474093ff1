"""What a sender has under way, in a file that outlives it: how much of that a kill can repeat.

The sender maps the file into its memory; what it has noted there is in the file also when it is killed the next moment.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streams import faults
from streams.delivery.faults import FaultPoints
from streams.delivery.outcome import Outcome
from streams.delivery.wire import Sending, Wire
from streams.templates.finish import Finished

VARIABLE = "RINGBACK_TEST_GAUGE"

#: How many requests are under way, how many have ended, when the last of both was, and when the newest transaction that
#: is committed had begun (seconds since 1970).
_HEAD = struct.Struct("<qqdd")
#: When the last ones ended.
_ENDED = struct.Struct("<d")
KEPT = 8_192
#: A batch is gathered up to so long (seconds) before its transaction begins: threads take turns.
GATHERED_SECONDS = 0.025
SIZE = _HEAD.size + KEPT * _ENDED.size


class Reading(NamedTuple):
    """`flying`: under way; `ended`: in all; `just`: of these, within the time that was asked for, or since the newest
    commit; `uncommitted`: how long (seconds) the oldest one that is not committed has ended.
    """

    flying: int = 0
    ended: int = 0
    just: int = 0
    uncommitted: float = 0.0


class Gauge(FaultPoints):
    """The file at `path`. It hears of commits by the fault points, on which the process dies all the same. One event
    loop's, and one thread's that commits.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(faults.wanted())
        self._flying = self._ended = 0
        self._begun = self._committed = 0.0
        with path.open("wb+") as file:
            file.truncate(SIZE)
            self._map = mmap.mmap(file.fileno(), SIZE)

    def reached(self, stage: str, step: str) -> None:
        """See `Points`."""
        if step == "begun":
            self._begun = time.time()
        elif step == "committed":
            self._committed = self._begun
            self._note()
        super().reached(stage, step)

    def sent(self) -> None:
        """A request is under way."""
        self._flying += 1
        self._note()

    def came_back(self) -> None:
        """It has ended."""
        _ENDED.pack_into(self._map, _HEAD.size + self._ended % KEPT * _ENDED.size, time.time())
        self._ended += 1
        self._flying -= 1
        self._note()

    def _note(self) -> None:
        _HEAD.pack_into(self._map, 0, self._flying, self._ended, time.time(), self._committed)


class Watched:
    """A wire that notes what goes over it."""

    def __init__(self, wire: Wire, gauge: Gauge) -> None:
        self._wire, self._gauge = wire, gauge

    def begin(self, request: Finished, timeout_ms: int, over: Callable[[Outcome], None]) -> Sending | None:
        """See `Wire`."""
        self._gauge.sent()

        def ended(outcome: Outcome) -> None:
            self._gauge.came_back()
            over(outcome)

        sending = self._wire.begin(request, timeout_ms, ended)
        return None if sending is None else _Noted(sending, self._gauge)

    async def close(self) -> None:
        """See `Wire`."""
        await self._wire.close()


class _Noted:
    """A request under way; to give it up is an end too."""

    def __init__(self, sending: Sending, gauge: Gauge) -> None:
        self._sending, self._gauge = sending, gauge

    def cancel(self) -> None:
        """See `Sending`; only while it is under way."""
        self._sending.cancel()
        self._gauge.came_back()


def read(path: Path, seconds: float, moment: float | None = None) -> Reading:
    """What stands there. `just` counts those that ended within `seconds` before `moment` (default: the last that
    happened at all), or since the newest commit had begun, if that is longer.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return Reading()
    if len(found) < SIZE:
        return Reading()
    flying, ended, last, committed = _HEAD.unpack_from(found)
    now = last if moment is None else moment
    times = [at for (at,) in _ENDED.iter_unpack(found[_HEAD.size :]) if at]
    oldest = min((at for at in times if at > committed - GATHERED_SECONDS), default=now)
    return Reading(flying, ended, sum(at >= min(now - seconds, oldest) for at in times), max(0.0, now - oldest))
