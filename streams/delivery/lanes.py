"""The lane of one partner: how many requests at once, how often, and from when on. Pure: the time is passed in.

A lane takes a job into memory when the job can be expected to start soon; otherwise it reserves a time for it,
behind the times it gave before, and the job waits there in a delay topic. So the source always moves, what waits is
not rewritten again and again, and the end of a hold releases no herd. The rate is kept by the generic cell rate
algorithm at the moment of sending, whatever was reserved.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.config import DAY, SECOND, Partner

from .breaker import Breaker, BreakerLimits

T = TypeVar("T")

#: How late a send may be without losing its place in the rate: what a tick of the clock and a busy loop cost.
RATE_TOLERANCE_MS = 50.0
#: What a request is thought to take before the first one has ended.
FIRST_GUESS_MS = 20.0
#: A request that has been under way for so long may hang: from then on its age counts, before it has ended.
HANGING_MS = 1_000
#: Reservations reach at most this far ahead; what comes later asks again then.
FARTHEST_RESERVATION = 7 * DAY


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """`soon`: up to this expected wait (ms) a job stays in memory; it is also the shortest delay topic."""

    soon: int = 8 * SECOND
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class Lane(Generic[T]):
    """Slots, rate, hold, breaker and the queue in memory of one partner. `share` is the part of the limits that this
    process may use.
    """

    def __init__(self, partner: Partner, limits: LaneLimits, share: float = 1.0) -> None:
        self.limits = limits
        self.breaker = Breaker(limits.breaker)
        self.queue: deque[T] = deque()
        self.in_flight = 0
        self.hold_until = 0
        self._started: dict[int, int] = {}
        self._serial = 0
        self._mean_ms = FIRST_GUESS_MS
        self._healthy_ms = FIRST_GUESS_MS
        self._next_slot = 0.0
        self._schedule = 0.0
        self.configure(partner, share)

    def configure(self, partner: Partner, share: float) -> None:
        """Follow a changed partner or a changed share of the partitions; what is under way stays."""
        self.partner = partner
        self._slots = max(1, round(partner.max_in_flight * share))
        self._gap = 0.0 if partner.rate_limit is None else SECOND / (partner.rate_limit * share)

    @property
    def idle(self) -> bool:
        """Nothing queued, nothing under way."""
        return not self.queue and not self.in_flight

    def slots(self, now: int) -> int:
        """How many requests may be under way at once; one while the breaker probes, none while it is open."""
        state = self.breaker.look(now)
        if state == "closed":
            return self._slots
        return 1 if state == "probing" else 0

    def blocked_until(self, now: int) -> int:
        """The end of the hold or of the breaker's pause; a time in the past when there is neither."""
        return max(self.hold_until, self.breaker.until if self.breaker.look(now) == "open" else 0)

    def spacing(self, now: int) -> float:
        """Expected milliseconds between two starts: by the rate, or by the slots and what a request takes, hanging
        ones included.
        """
        return max(self._gap, max(self._mean_ms, self._hangs(now)) / max(1, self.slots(now)))

    def _reserved_spacing(self) -> float:
        """Milliseconds between two reserved times: by what the partner takes when it is well, since it may be so
        again by then.
        """
        return max(self._gap, self._healthy_ms / self._slots)

    def wait(self, now: int) -> float:
        """Expected milliseconds until a job that is queued now starts."""
        wait = max(0.0, self.blocked_until(now) - now, self._next_slot - now if self._gap else 0.0)
        if self.queue or self.in_flight >= self.slots(now):
            wait += (len(self.queue) + 1) * self.spacing(now)
        return wait

    def offer(self, item: T, reserved: bool, now: int, saturated: bool = False) -> int | None:
        """Queue `item` and return None, or return the time reserved for it. `saturated`: this process is at its
        limit, so that the partner seems slower than it is; then only a rate, a hold or requests that hang send jobs
        away.
        """
        if saturated and not self._gap and self.blocked_until(now) <= now and not self._hangs(now):
            self.queue.append(item)
            return None
        wait = self.wait(now)
        starts = now + wait if reserved else max(now + wait, self._schedule)
        if starts - now <= self.limits.soon:
            if self._schedule > now and not reserved:
                self._schedule += self._reserved_spacing()
            self.queue.append(item)
            return None
        return self.reserve(now)

    def _hangs(self, now: int) -> int:
        """The age of the oldest request under way, when it is so old that it may hang; otherwise 0."""
        oldest = now - next(iter(self._started.values())) if self._started else 0
        return oldest if oldest >= HANGING_MS else 0

    def reserve(self, now: int) -> int:
        """The next free time at which a job that waits in a delay topic may come back."""
        at = max(self._schedule, now + self.wait(now), float(now + self.limits.soon))
        at = min(at, float(now + FARTHEST_RESERVATION))
        self._schedule = at + self._reserved_spacing()
        return int(at) + 1

    def shed(self, now: int) -> list[T]:
        """Take those out of the queue that can no longer be expected to start soon, the newest ones first; the
        caller reserves for them.
        """
        spacing = self.spacing(now)
        patience = 1.5 * self.limits.soon - max(0, self.blocked_until(now) - now)
        keep = max(0, int(patience / spacing)) if spacing else len(self.queue)
        return [self.queue.pop() for _ in range(len(self.queue) - keep)][::-1]

    def start(self, now: int) -> tuple[T, int] | None:
        """The next job, if one may be sent now, and the number to end it with."""
        if not self.queue or self.in_flight >= self.slots(now) or self.hold_until > now:
            return None
        if self._gap:
            if self._next_slot > now:
                return None
            late = now - self._next_slot > RATE_TOLERANCE_MS
            self._next_slot = (now if late else self._next_slot) + self._gap
        self.in_flight += 1
        self._serial += 1
        self._started[self._serial] = now
        return self.queue.popleft(), self._serial

    def wakes_at(self, now: int) -> int | None:
        """When `start` may succeed although nothing ends before; None: when something ends, or is offered."""
        if not self.queue:
            return None
        if (until := self.blocked_until(now)) > now:
            return until
        if self.in_flight >= self.slots(now):
            return None
        return int(self._next_slot) + 1

    def end(self, serial: int, healthy: bool | None, now: int) -> None:
        """A request is over. `healthy`: what the breaker learns from it; None: nothing (the fault was ours)."""
        started = self._started.pop(serial)
        self.in_flight -= 1
        if healthy is not None:
            took = max(1, now - started)
            self._mean_ms += 0.1 * (took - self._mean_ms)
            self._healthy_ms += 0.1 * (took - self._healthy_ms) if healthy else 0.0
            self.breaker.record(healthy, now)

    def hold(self, until: int) -> None:
        """Send nothing before `until`; what is reserved meanwhile is spread behind it."""
        self.hold_until = max(self.hold_until, until)
