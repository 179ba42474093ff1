"""How much of its partners' limits this process has work for. Pure: the time is passed in (milliseconds)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from schemas.config import SECOND, Partner

#: A partner is listed for so long (ms) after its last job: a trickle is work too.
BUSY = 3_000
#: What is needed is measured over at least so long (ms).
MEASURED = 250
#: More than was used lately, so that what grows is seen to grow.
HEADROOM = 1.25
#: Nobody who has work needs less than this part.
LEAST = 0.02


class Work(NamedTuple):
    """What a lane has done and has to do: requests `started` since it exists, jobs `queued`, requests `in_flight`."""

    partner: Partner
    started: int
    queued: int
    in_flight: int


@dataclass(slots=True)
class Need:
    """What is needed of one partner's `rate_limit`, as a `part` of it, and the work that it was last seen to have."""

    work: Work
    at: int
    busy: int
    rate: float = 0.0
    part: float = LEAST


class Needs:
    """The partners whose limits are divided, and that there is work for."""

    def __init__(self) -> None:
        self._needs: dict[str, Need] = {}

    def __len__(self) -> int:
        return len(self._needs)

    def watch(self, share: float, work: Iterable[Work], now: int) -> None:
        """What each lane has done by now. Partners without a limit to divide are passed over."""
        for one in work:
            if one.partner.rate_limit is not None or int(one.partner.max_in_flight * share + 1e-9) == 0:
                self._see(one, now)
        self._needs = {name: need for name, need in self._needs.items() if now - need.busy <= BUSY}

    def _see(self, work: Work, now: int) -> None:
        name = work.partner.id
        need = self._needs.get(name)
        if need is None:
            if work.queued or work.in_flight:
                self._needs[name] = need = Need(work, now, now)
                need.part = _part(work, 0.0)
            return
        if work.queued or work.in_flight or work.started != need.work.started:
            need.busy = now
        if (passed := now - need.at) >= MEASURED:
            # A lane that was made anew counts from the beginning.
            started = work.started - need.work.started if work.started >= need.work.started else work.started
            need.rate += 0.5 * (started * SECOND / passed - need.rate)
            need.part = _part(work, need.rate)
            need.work, need.at = work, now
        else:
            need.work = work._replace(started=need.work.started)

    def listed(self, most: int) -> dict[str, Need]:
        """The partners with their needs; if there are more than `most`, those that need the most."""
        if len(self._needs) <= most:
            return self._needs
        return dict(heapq.nlargest(most, self._needs.items(), key=lambda item: (item[1].part, item[0])))


def _part(work: Work, rate: float) -> float:
    if work.partner.rate_limit is None:
        return 1.0
    return min(1.0, max(LEAST, (HEADROOM * rate + work.queued) / work.partner.rate_limit))
