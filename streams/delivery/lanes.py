"""The lane of one partner: how many requests at once, how often, and from when on. Pure: the time is passed in.

A lane takes a job into memory when the job can be expected to start soon; otherwise it reserves a time for it,
behind the times it gave before, and the job waits there in a delay topic. While the lane stands still, by a hold or its
breaker, so does the schedule: whoever comes back finds its place as much later. So the source always moves, what waits
is not rewritten again and again, and the end of a hold releases no herd. The rate is kept by the generic cell rate
algorithm at the moment of sending, whatever was reserved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar

from schemas.config import DAY, SECOND, Partner

from .breaker import Breaker, BreakerLimits
from .later import Count, Later
from .schedule import Reserved, Schedule
from .shares import Part, by_partitions

T = TypeVar("T")

#: How late a send may be without losing its place in the rate: what a tick of the clock and a busy loop cost.
RATE_TOLERANCE_MS = 50.0
#: What a request is thought to take before the first one has ended.
FIRST_GUESS_MS = 20.0
#: A request that has been under way for so long may hang: from then on its age counts, before it has ended.
HANGING_MS = 1_000
#: A lane drains when its last job starts within so long, and one after the other in so short a time (ms).
DRAINS_MS = 2_000
DRAINS_SPACING_MS = 10
#: A partner without a rate that was down is not sent at once what has gathered meanwhile: what comes due when it has
#: been down for some time waits for this part of that time beyond the breaker's pause.
SPREAD = 0.25
#: Those whose time comes within so many times `soon` are kept in memory, as long as there is plenty of it.
AHEAD = 2
#: So many with a rate: they are what a lane has to send when it may suddenly send more. Another sender is gone, and its
#: jobs come with its partitions only, some ten seconds later.
AHEAD_OF_RATE = 3
#: But of the time before the last `soon` no more than it takes to send so many, since that is memory; and so long (ms)
#: at least, because those that come back at the same time come one after the other.
AHEAD_JOBS = 2_000
AHEAD_LEAST_MS = 2_000
#: So many that wait for their turn leave memory at once, when that has become later.
SHED_AT_ONCE = 1_000
#: Reservations reach at most this far ahead; what comes later asks again then.
FARTHEST_RESERVATION = 7 * DAY


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """`soon`: up to this expected wait (ms) a job stays in memory; it is also the shortest delay topic."""

    soon: int = 8 * SECOND
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class Lane(Generic[T]):
    """Slots, rate, hold, breaker and the queue in memory of one partner. `share` is the part of the limits that this
    process may use; `waiting` counts the jobs that all lanes keep in memory before their time.
    """

    def __init__(
        self,
        partner: Partner,
        limits: LaneLimits,
        share: float = 1.0,
        part: Part | None = None,
        waiting: Count | None = None,
    ) -> None:
        self.limits = limits
        self.breaker = Breaker(limits.breaker)
        self.queue: deque[T] = deque()
        #: Those whose time comes soon, by it: they are sent before it when nobody else would be.
        self._later: Later[T] = Later(waiting or Count())
        self.in_flight = 0
        self.hold_until = 0
        self._started: dict[int, int] = {}
        self._serial = 0
        self._mean_ms = FIRST_GUESS_MS
        self._healthy_ms = FIRST_GUESS_MS
        self._next_slot = 0.0
        self._gap = 0.0
        self._schedule = Schedule()
        #: To then all that waits was moved because of those that came late; those that came since take so long (ms).
        self._postponed, self._owed = 0, 0.0
        self.configure(partner, share, part)

    def configure(self, partner: Partner, share: float, part: Part | None = None) -> None:
        """Follow a changed partner, a changed share of the partitions, or a changed part of the limits (None: the same
        share of them); what is under way stays. Without slots nothing starts.
        """
        part = part or by_partitions(partner, share)
        self.partner, self._slots, before = partner, part.slots, self._gap
        rate = partner.rate_limit
        self._ahead = AHEAD if rate is None else AHEAD_OF_RATE
        self._gap = 0.0 if rate is None else SECOND / (rate * (part.rate or share))
        #: What is reserved is spaced by what is to be expected: a part grows within a second when it is needed.
        self._pace = 0.0 if rate is None else SECOND / (rate * max(part.rate, share))
        if before and self._gap:
            self._next_slot += self._gap - before

    @property
    def started(self) -> int:
        """How many requests were started since the lane exists."""
        return self._serial

    @property
    def idle(self) -> bool:
        """Nothing queued, nothing under way."""
        return not self.queued and not self.in_flight

    @property
    def queued(self) -> int:
        """How many are in memory, and not under way."""
        return len(self.queue) + len(self._later)

    @property
    def ahead(self) -> int:
        """So long (ms) before its time a job is to be back, so that there is always one to send when more may be sent;
        in vain while the partner is down.
        """
        return self._most_ahead() if self.breaker.down_since is None else 0

    def _most_ahead(self) -> int:
        most = max(AHEAD_LEAST_MS, round(AHEAD_JOBS * self._reserved_spacing()))
        return min((self._ahead - 1) * self.limits.soon, most)

    def slots(self, now: int) -> int:
        """How many requests may be under way at once; none while the breaker is open. While it probes, one beside those
        that were sent before it opened: they may hang for long.
        """
        state = self.breaker.look(now)
        if state == "closed":
            return self._slots
        if state == "open":
            return 0
        return min(1 + sum(began <= self.breaker.opened for began in self._started.values()), self._slots)

    def blocked_until(self, now: int) -> int:
        """The end of the hold or of the breaker's pause; a time in the past when there is neither."""
        if self.breaker.state != "open":
            return self.hold_until
        return max(self.hold_until, self.breaker.until if self.breaker.look(now) == "open" else 0)

    def spacing(self, now: int) -> float:
        """Expected milliseconds between two starts: by the rate, or by the slots and what a request takes, hanging
        ones included. While the breaker is not closed, as if the partner were well: it is waited for then.
        """
        if self.breaker.state != "closed":
            return self._reserved_spacing()
        return max(self._pace, max(self._mean_ms, self._hangs(now)) / (self._slots or 1))

    def _reserved_spacing(self) -> float:
        """Milliseconds between two reserved times: by what requests take, or took when the partner was well, since it
        may be so again by then.
        """
        took = self._mean_ms if self.breaker.state == "closed" else self._healthy_ms
        return max(self._pace, took / max(1, self._slots))

    def wait(self, now: int) -> float:
        """Expected milliseconds until a job that is queued now starts."""
        wait = max(0.0, self.blocked_until(now) - now)
        if self._gap:
            wait = max(wait, self._next_slot - self._gap + self._pace - now)
        if self.queue or self.in_flight >= self.slots(now):
            wait += (len(self.queue) + 1) * self.spacing(now)
        return wait

    def offer(
        self,
        item: T,
        reserved: Reserved | None,
        now: int,
        saturated: bool = False,
        free: int | None = None,
        waiting: int | None = None,
    ) -> int | None:
        """Queue `item` and return None, or return the time reserved for it. `reserved` is what it was given before: it
        may come too early, and keeps its place.

        `saturated`: this process is at its limit, so that the partner seems slower than it is; then only a rate, a hold
        or requests that hang send jobs away. `free` is the memory left for jobs of all lanes: one that does not drain
        has half of it at most, what is under way included. So however many are slow, each takes less than the one
        before, and there is always some left for the others. One that drains may have the last of it, and more: it is
        soon given back, and until then nothing is read. `waiting` is the memory left for jobs before their time, of
        which a lane that needs it has twice what is left for others.
        """
        has_memory = free is None or (free > 1 and (2 * (self.in_flight + 1) <= free or self._is_quick(now)))
        if reserved is None and has_memory and self._is_free(now) and (not self._gap or self._schedule.free <= now):
            # All that follows says the same then, at three times the cost; most jobs come to a lane like that.
            self.queue.append(item)
            return None
        place = float(now) if reserved is None else self._place(reserved, now)
        if place > now + self.limits.soon + self._most_ahead():
            if not (has_memory and self._is_free(now)):
                return ceil(place)
            # Its time is another's.
            self._schedule.free -= self._reserved_spacing()
            self.queue.append(item)
            return None
        may_wait = waiting is None or self._later.memory < 2 * waiting
        if place <= now:
            if (
                has_memory
                and (self._is_free(now) or self._would_drain(saturated, now))
                and (reserved is not None or not self._gap or self._schedule.free <= now)
            ) or self._fits(reserved, now, free, may_wait):
                self._add(item, reserved, now, may_wait)
                return None
            if reserved is not None:
                place = float(self._postpone(now))
            elif may_wait and self._gap and self._turn(now) <= now + self.limits.soon:
                place = self._schedule.give(self._turn(now), self._reserved_spacing(), now)
            else:
                return self.reserve(now)
        if not may_wait:
            return ceil(place)
        self._later.add(place, item)
        return None

    def _add(self, item: T, reserved: Reserved | None, now: int, may_wait: bool) -> None:
        free = self._schedule.free <= now or self._schedule.leaves(self.wait(now), now)
        if reserved is not None or free or not may_wait or self._is_free(now):
            self.queue.append(item)
        else:
            self._later.add(self._schedule.give(now, self._reserved_spacing(), now), item)

    def _place(self, reserved: Reserved, now: int) -> float:
        return max(self._schedule.place(reserved, now), float(self.blocked_until(now)))

    def _is_free(self, now: int) -> bool:
        """Whether a job that is queued now starts at once."""
        return (
            not self.queue
            and not self._later
            and self.in_flight < self._slots
            and self.breaker.state == "closed"
            and self.hold_until <= now
            and self._next_slot <= now
        )

    def _would_drain(self, saturated: bool, now: int) -> bool:
        """Whether only this process makes the lane slow."""
        return saturated and not self._gap and self.blocked_until(now) <= now and not self._hangs(now)

    def _fits(self, reserved: Reserved | None, now: int, free: int | None, may_wait: bool) -> bool:
        """Whether a job can be expected to start soon, and there is memory for it."""
        wait = self.wait(now)
        if reserved is None and self._schedule.free > now and not self._schedule.leaves(wait, now):
            if not may_wait:
                return False
            wait = max(wait, self._schedule.free - now)
        if wait > self.limits.soon:
            return False
        if free is None or (wait <= DRAINS_MS and self._is_quick(now)):
            return True
        return 2 * (self.in_flight + len(self.queue) - self._later.queued + 1) <= free

    def _is_quick(self, now: int) -> bool:
        """Whether what is under way, and queued, soon gives its memory back."""
        return self.spacing(now) <= DRAINS_SPACING_MS

    def _hangs(self, now: int) -> int:
        """The age of the oldest request under way, when it is so old that it may hang; otherwise 0."""
        oldest = now - next(iter(self._started.values())) if self._started else 0
        return oldest if oldest >= HANGING_MS else 0

    def reserve(self, now: int) -> int:
        """The next free time at which a job that waits in a delay topic may come back."""
        begins = max(now, self.blocked_until(now))
        spacing = self._reserved_spacing()
        earliest = max(self._turn(now), float(now + self.limits.soon))
        if not self._gap and self.breaker.down_since is not None:
            earliest = max(earliest, begins + SPREAD * (now - self.breaker.down_since))
        return ceil(self._schedule.give(min(earliest, float(now + FARTHEST_RESERVATION)), spacing, now))

    def _turn(self, now: int) -> float:
        """The first time that is free behind all that is given and queued."""
        begins = max(now, self.blocked_until(now))
        return max(self._schedule.free, begins + len(self.queue) * self._reserved_spacing())

    def _postpone(self, now: int) -> int:
        """The lane is behind its schedule: this one comes later, before what is queued is done, and so does all that
        waits; but not twice for the same time. Where there is no memory for a longer queue, only when so many came late
        as there is time for until then: they have missed their turn, and others went for them. Else nobody would come
        when the queue is done.
        """
        wait, soon = self.wait(now), self.limits.soon
        until = now + max(1, int(min(soon, wait) * 3 / 4))
        # When it was longer ago than that, the clock was put back.
        done = self._postponed if self._postponed <= now + soon else now
        by = until - max(now, done)
        self._owed = min(self._owed + self._reserved_spacing(), float(soon))
        if by > 0 and (wait > soon or self._owed >= by):
            self._schedule.move(by, now)
            self._postponed, self._owed = until, 0.0
        return until

    def _now_blocked(self, before: int, now: int) -> None:
        """It was blocked until `before`, and is so for longer now, or shorter: the schedule moves with it."""
        if by := max(self.blocked_until(now), now) - max(before, now):
            self._schedule.move(by, now)
            self._later.move(by)

    def shed(self, now: int, free: int | None = None) -> list[tuple[T, int]]:
        """Take those out of the queue that can no longer be expected to start soon, or whose lane has become slow and
        leaves others too little of what is `free`, the newest ones first, and return them in their order, each with
        the time at which it may come back: before all that is reserved.
        """
        expected = self.spacing(now)
        patience = 1.5 * self.limits.soon - max(0, self.blocked_until(now) - now)
        keep = max(0, int(patience / expected)) if expected else len(self.queue)
        if free is not None and not self._is_quick(now):
            # As `offer` would have it, had it known.
            own = self._later.queued
            keep = min(keep, own + max(0, (free + len(self.queue) - own - 2 * self.in_flight) // 3))
        gone = [self.queue.pop() for _ in range(len(self.queue) - keep)][::-1]
        self._later.left(len(self.queue))
        spacing = self._reserved_spacing()
        begins = max(self.blocked_until(now), now + self.limits.soon)
        if gone:
            self._schedule.cover(begins, begins + len(gone) * spacing, now)
        shed = [(item, ceil(begins + place * spacing)) for place, item in enumerate(gone)]
        # Not `_most_ahead`: that becomes less when the lane may send more, and has to have something to send.
        far = now + (self._ahead + 0.5) * self.limits.soon
        shed += [(item, ceil(place)) for place, item in self._later.beyond(far, SHED_AT_ONCE)]
        return shed

    def drop(self, goes: Callable[[T], bool]) -> list[T]:
        """Forget those in memory that go, and return them."""
        dropped = [item for item in self.queue if goes(item)] + self._later.drop(goes)
        self.queue = deque(item for item in self.queue if not goes(item))
        self._later.left(len(self.queue))
        return dropped

    def start(self, now: int) -> tuple[T, int] | None:
        """The next job, if one may be sent now, and the number to end it with."""
        while self._later.is_due(now):
            self.queue.append(self._later.turn())
        if not (self.queue or self._later) or self.in_flight >= self.slots(now) or self.hold_until > now:
            return None
        if self._gap:
            if self._next_slot > now:
                return None
            late = now - self._next_slot > RATE_TOLERANCE_MS
            self._next_slot = (now if late else self._next_slot) + self._gap
        self.in_flight += 1
        self._serial += 1
        self._started[self._serial] = now
        if not self.queue:
            return self._later.pop(), self._serial
        item = self.queue.popleft()
        self._later.left(len(self.queue))
        return item, self._serial

    def wakes_at(self, now: int) -> int | None:
        """When `start` may succeed although nothing ends before; None: when something ends, or is offered."""
        if not self.queued:
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
            took, before = max(1, now - started), self.blocked_until(now)
            self._mean_ms += 0.1 * (took - self._mean_ms)
            self._healthy_ms += 0.1 * (took - self._healthy_ms) if healthy else 0.0
            self.breaker.record(healthy, now, started)
            if not healthy:
                self._now_blocked(before, now)

    def hold(self, until: int, now: int) -> None:
        """Send nothing before `until`; what is reserved waits for as much longer."""
        self.follow(max(self.hold_until, until), now)

    def follow(self, until: int, now: int) -> None:
        """The hold ends at `until`, whatever was known. When that is over already, what comes from now on is not put
        behind the times that were reserved for after the hold.
        """
        before = self.blocked_until(now)
        if until <= now < self.hold_until:
            self._schedule.clear()
        self.hold_until = until
        self._now_blocked(before, now)
