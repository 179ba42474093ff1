"""A partner, its lane and the delay topics, in simulated time: what becomes of a backlog in hours, within seconds."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.delivery.lanes import Lane, LaneLimits
from streams.delivery.later import Count
from streams.delivery.schedule import Reserved
from streams.delivery.tiers import Tiers
from tests.support.sending import partner_named

NOW = 1_760_000_000_000
REVIEW = 250
#: A partner that is down fails each request; a request that hangs takes so long.
TIMEOUT = 10_000


class Answer(NamedTuple):
    """What the partner does with a request: how long it takes (ms), and whether it is well."""

    took: int
    good: bool


@dataclass
class Waiting:
    """A job that waits: since when, and for what, if a time was given to it."""

    number: int
    since: int
    due: int | None = None


@dataclass
class World:
    """Time is ms since the beginning. `answer` says what the partner does at a time."""

    answer: Callable[[int], Answer]
    rate: float | None = None
    slots: int = 100
    memory: int = 8_000
    waiting: int = 32_000
    tiers: Tiers = field(default_factory=Tiers)

    def __post_init__(self) -> None:
        partner = partner_named(rate_limit=self.rate, max_in_flight=self.slots)
        self.later = Count()
        self.lane: Lane[Waiting] = Lane(partner, LaneLimits(), waiting=self.later)
        self.most = 0
        self.written: Counter[int] = Counter()
        self.tried: Counter[int] = Counter()
        self.sent: dict[int, int] = {}
        self.now = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._wakes: int | None = None
        self._at(REVIEW, self._review)

    def _at(self, at: int, do: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._events, (max(at, self.now), self._serial, do))

    def decide(self, number: int, at: int) -> None:
        """A job is decided at that time."""
        self._at(at, lambda: self._look(Waiting(number, NOW + at)))

    def run(self, until: int, wanted: int | None = None) -> None:
        """Let time pass, at most until so many jobs have been sent."""
        while self._events and self._events[0][0] <= until and (wanted is None or len(self.sent) < wanted):
            self.now, _, do = heapq.heappop(self._events)
            do()

    def _look(self, job: Waiting) -> None:
        reserved = None if job.due is None else Reserved(job.due, job.since)
        free, waiting = self.memory - self.lane.queued + self.later.jobs, self.waiting - self.later.jobs
        at = self.lane.offer(job, reserved, NOW + self.now, False, free, waiting)
        self.most = max(self.most, self.lane.queued)
        if at is None:
            self._pump()
        else:
            self._wait(job, at)

    def _wait(self, job: Waiting, at: int) -> None:
        ahead = self.lane.ahead
        self._park(job.number, self.tiers.rounded(at - NOW - self.now - ahead), ahead, NOW + self.now)

    def _park(self, number: int, wait: int, ahead: int, now: int) -> None:
        self.written[number] += 1
        later = Waiting(number, now, now + wait + ahead)
        delay = self.tiers.delay(self.tiers.tier_for(wait) or 0)
        self._at(self.now + delay, lambda: self._look(later))

    def _review(self) -> None:
        for job, at in self.lane.shed(NOW + self.now):
            self._wait(job, at)
        self._pump()
        self._at(self.now + REVIEW, self._review)

    def _pump(self) -> None:
        now = NOW + self.now
        while (found := self.lane.start(now)) is not None:
            self._send(*found)
        wakes = self.lane.wakes_at(now)
        if wakes is not None and (self._wakes is None or wakes < self._wakes):
            self._wakes = wakes
            self._at(wakes - NOW, self._woken)

    def _woken(self) -> None:
        self._wakes = None
        self._pump()

    def _send(self, job: Waiting, serial: int) -> None:
        answer = self.answer(self.now)

        def over() -> None:
            self.lane.end(serial, answer.good, NOW + self.now)
            if answer.good:
                self.sent[job.number] = self.now
            else:
                # As a redelivery: on its own time, which is no reservation.
                self.tried[job.number] += 1
                self._at(self.now + 60_000, lambda: self._look(Waiting(job.number, NOW + self.now)))
            self._pump()

        self._at(self.now + answer.took, over)
