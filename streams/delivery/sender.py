"""What the sender does with each job: from the record that was read to the request and the records that settle it.

All of it runs in one event loop; only `room`, `due` and the hand-overs of the consumer's thread are called from
elsewhere. A job is in memory while it waits for the last seconds before it is due, stands in its partner's lane, or
is under way; everything else is in Kafka.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from schemas import control as controls
from schemas.config import Configuration, Partner
from schemas.control import Control
from schemas.job import Job
from streams import logs
from streams.clock import Clock
from streams.templates.finish import Unrenderable, finish

from . import jobs
from .consumer import Taken
from .course import End, Paused, Rules, Wait, course
from .heads import Heads
from .lanes import Lane, LaneLimits
from .offsets import Tracker
from .outcome import Outcome
from .outcomes import Outbox
from .retry import Backoff, rule
from .secrets import SecretMissing
from .settling import Record, Settlement, Settling, Source
from .tallies import Tallies
from .tiers import Tiers
from .wire import Wire

log = logs.get(__name__)

TICK_SECONDS = 0.01
#: Every so many ticks the lanes are looked over: what can no longer start soon leaves memory.
REVIEW_TICKS = 25
#: Every so many ticks it is told how much waits in the delay topics.
TELL_TICKS = 100
#: A paused job looks again after so many shortest delays: what an operator resumes goes on within that time.
PAUSED_TIERS = 4
#: The event loop computes for so much of the time, or is late by so much (seconds): this process is at its limit.
SATURATED_SHARE = 0.7
SATURATED_SECONDS = 0.02
#: So many requests are started before the loop turns; a connection and its request cost some 0.3 ms.
STARTS_PER_TURN = 16
#: A process at its limit has no more requests under way than these that are younger than this (ms): more would only
#: make all of them late, up to time-outs that are not the partners' fault. Older ones wait for a partner, and do not
#: count.
MOST_YOUNG = 256
YOUNG_MS = 250
#: The same alert is given again after so long (ms).
REMINDER = 60_000
#: A hold shorter than this (ms) is over before other senders would hear of it.
HOLD_TOLD = 5_000


class Limits(NamedTuple):
    """What the sender is built with; the tests make it faster."""

    tiers: Tiers = Tiers()
    backoff: Backoff = Backoff()
    lane: LaneLimits = LaneLimits()
    prefetch: int = 1_000


class Held:
    """A job in memory and where it came from."""

    __slots__ = ("job", "source", "tracker")

    def __init__(self, job: Job, tracker: Tracker, source: Source) -> None:
        self.job = job
        self.tracker = tracker
        self.source = source


class Sender:
    """The flow. `control_topic` is where pauses and holds are told to other senders; `read_on` resumes a delay
    partition.
    """

    def __init__(
        self,
        *,
        limits: Limits,
        settling: Settling,
        clock: Clock,
        wire: Wire,
        outbox: Outbox,
        tallies: Tallies,
        secret: Callable[[str], str],
        read_on: Callable[[Tracker], None],
        control_topic: str,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits
        self._settling = settling
        self._clock = clock
        self._wire = wire
        self._outbox = outbox
        self._tallies = tallies
        self._secret = secret
        self._control_topic = control_topic
        self._fraction = fraction
        self._rules = Rules()
        self._lanes: dict[str, Lane[Held]] = {}
        self._heads = Heads(self.due, read_on)
        self._held: set[Held] = set()
        self._waiting: list[tuple[int, int, Held]] = []
        self._wakes: list[tuple[int, str]] = []
        self._wake_of: dict[str, int] = {}
        self._serial = 0
        self._tasks: dict[asyncio.Task[None], Held] = {}
        self._reminders: dict[str, int] = {}
        #: Lanes that may be able to start a job, in turn, and the requests that were started a moment ago.
        self._ready: dict[Lane[Held], None] = {}
        self._young: dict[asyncio.Task[None], int] = {}
        self._starting = False
        self._share = 1.0
        self._bound = 0
        self._pressed = False
        self._saturated = False
        self._ticks = 0
        #: An error of our own in an attempt: its job would stay unsettled, and its slot taken, for ever.
        self._broken: BaseException | None = None
        self.trackers: set[Tracker] = set()
        #: For each delay topic how many of its records are not even read.
        self.unread: Mapping[str, int] = {}

    # What the consumer's thread asks; reads of single values only.

    def room(self) -> int:
        """How many jobs more there is memory for. None while nothing can be committed: what is settled waits in
        memory too, and a full lane settles all that is read.
        """
        return 0 if self._pressed or self._outbox.late else self._bound - len(self._held)

    def due(self, tier: int, appended: int) -> bool:
        """Whether a record of a delay topic is to be looked at now."""
        return self._limits.tiers.ends(tier, appended) <= self._clock.now()

    # What decides over jobs.

    def configure(self, configuration: Configuration) -> None:
        """Follow a generation; lanes keep what is under way."""
        self._rules = self._rules.with_configuration(configuration)
        for name, change in self._rules.partner_controls.items():
            self._tallies.paused(name, change.paused and name in self._rules.partners)
        for name, lane in list(self._lanes.items()):
            partner = self._rules.partners.get(name)
            if partner is not None:
                lane.configure(partner, self._share)
            self._pump(lane)

    def control(self, kind: Literal["partner", "postback"], name: str, change: Control | None) -> None:
        """Follow a pause or hold, or its end."""
        self._rules = self._rules.with_control(kind, name, change)
        if kind == "partner":
            self._tallies.paused(name, change is not None and change.paused and name in self._rules.partners)
        lane = self._lanes.get(name) if kind == "partner" else None
        if lane is not None:
            lane.hold_until = change.hold_until or 0 if change is not None else 0
            self._pump(lane)

    # Partitions.

    def assigned(self, trackers: Iterable[Tracker], share: float, delivery_partitions: int) -> None:
        """Work on these partitions from now on, with `share` of each partner's limits."""
        self.trackers |= set(trackers)
        self._bound = self._limits.prefetch * delivery_partitions
        self._tallies.limited(self._bound)
        self._share = share or 1.0
        for lane in self._lanes.values():
            lane.configure(lane.partner, self._share)

    async def revoked(self, trackers: Iterable[Tracker], seconds: float) -> None:
        """Drop what waits of these partitions, give what is in flight so many seconds to end, commit, and let go."""
        going = set(trackers)
        self._drop(going)
        flying = [task for task, held in self._tasks.items() if held.tracker in going]
        if flying:
            await asyncio.wait(flying, timeout=seconds)
        try:
            await asyncio.wait_for(asyncio.shield(self._outbox.flush()), seconds + 5)
        except TimeoutError:
            log.warning("outcomes could not be committed before the partitions went", jobs=len(self._outbox))
        self.lost(going)

    def lost(self, trackers: Iterable[Tracker]) -> None:
        """These partitions are another's: what still ends of them is ignored."""
        going = set(trackers)
        for tracker in going:
            tracker.close()
        self._drop(going)
        self._held = {held for held in self._held if held.tracker not in going}
        self.trackers -= going
        if not self.trackers:
            self._bound, self.unread = 0, {}
            self._tallies.limited(0)

    def _drop(self, going: set[Tracker]) -> None:
        """Forget what waits, without settling it: it is unfinished in the source."""
        self._heads.forget(going)
        dropped = [one[2] for one in self._waiting if one[2].tracker in going]
        self._waiting = [one for one in self._waiting if one[2].tracker not in going]
        heapq.heapify(self._waiting)
        for lane in self._lanes.values():
            dropped += [held for held in lane.queue if held.tracker in going]
            kept = [held for held in lane.queue if held.tracker not in going]
            lane.queue.clear()
            lane.queue.extend(kept)
        self._held.difference_update(dropped)

    async def finish_in_flight(self, seconds: float) -> int:
        """Take nothing more, wait up to so many seconds for what is under way, and return how many requests were
        given up.
        """
        self._drop(set(self.trackers))
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(list(self._tasks), timeout=seconds)
        for task in late:
            task.cancel()
        return len(late)

    # The way of a record.

    def taken(self, records: Iterable[Taken]) -> None:
        """Work on what was read."""
        now = self._clock.now()
        for record in records:
            if record.tier is not None:
                self._heads.add(record)
            else:
                self._open(record, now)

    def _open(self, record: Taken, now: int) -> None:
        tracker = record.tracker
        if not tracker.open or not tracker.take(record.offset):
            return
        source = Source(tracker.topic, tracker.partition, record.offset, record.key)
        job = jobs.decode(record.value, now)
        if isinstance(job, jobs.Poison):
            settlement = self._settling.poisoned(job, source, record.value, now)
            self._tallies.settled(job.job, settlement, now)
            self._outbox.put(tracker, record.offset, settlement.records)
            return
        held = Held(job, tracker, source)
        self._held.add(held)
        self._advance(held, now)

    def _advance(self, held: Held, now: int) -> None:
        """Take the next step with a job that is in memory."""
        step = course(held.job, self._rules, now)
        if isinstance(step, Partner):
            self._offer(held, step, now)
        elif isinstance(step, Wait):
            self._wait(held, step.at, now)
        elif isinstance(step, End):
            self._settle(held, self._settling.ended(held.job, held.source, step, now), now)
        elif isinstance(step, Paused):
            at = now + PAUSED_TIERS * self._limits.tiers.base
            self._settle(held, self._settling.parked(held.job, held.source, at, now, "paused"), now)

    def _wait(self, held: Held, at: int, now: int) -> None:
        in_memory = self._limits.tiers.tier_for(at - now) is None
        if in_memory and 2 * len(self._waiting) <= self._bound and len(held.tracker) < 500:
            self._serial += 1
            heapq.heappush(self._waiting, (at, self._serial, held))
        else:
            settlement = self._settling.parked(held.job, held.source, at, now, "delay", held.job.reserved)
            self._settle(held, settlement, now)

    def _offer(self, held: Held, partner: Partner, now: int) -> None:
        lane = self._lanes.get(partner.id)
        if lane is None:
            lane = self._lanes[partner.id] = Lane(partner, self._limits.lane, self._share)
            known = self._rules.partner_controls.get(partner.id)
            lane.hold(known.hold_until or 0 if known is not None else 0)
        at = lane.offer(held, held.job.reserved, now, self._saturated)
        if at is None:
            self._pump(lane)
        else:
            settlement = self._settling.parked(held.job, held.source, at, now, "lane", True)
            self._settle(held, settlement, now)

    def _pump(self, lane: Lane[Held]) -> None:
        """Let the lane start what it may, in turn with the others, and come back when it may start more."""
        if lane.queue:
            if lane not in self._ready:
                self._ready[lane] = None
            self._starts_soon()

    def _starts_soon(self) -> None:
        if not self._starting and self._ready:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start_some)

    def _start_some(self) -> None:
        """Start a few, one of each lane in turn, and let the loop turn: what is under way must be read in time."""
        self._starting = False
        if self._outbox.late:
            # What is sent while nothing can be committed is sent again when the partitions are lost. The next tick
            # asks again.
            return
        now = self._clock.now()
        for _ in range(STARTS_PER_TURN):
            if not self._ready or (self._saturated and len(self._young) >= MOST_YOUNG):
                break
            lane = next(iter(self._ready))
            del self._ready[lane]
            if self._start_one(lane, now):
                self._ready[lane] = None
        if not (self._saturated and len(self._young) >= MOST_YOUNG):
            self._starts_soon()

    def _start_one(self, lane: Lane[Held], now: int) -> bool:
        """Start the lane's next job. False: it may start no more for now, and is woken when it may."""
        started = lane.start(now)
        if started is None:
            wakes_at, name = lane.wakes_at(now), lane.partner.id
            if wakes_at is not None and wakes_at < self._wake_of.get(name, wakes_at + 1):
                self._wake_of[name] = wakes_at
                heapq.heappush(self._wakes, (wakes_at, name))
            return False
        held, serial = started
        step = course(held.job, self._rules, now)
        if isinstance(step, Partner):
            task = asyncio.get_running_loop().create_task(self._attempt(lane, serial, held, step))
            self._tasks[task] = held
            self._young[task] = now
            task.add_done_callback(self._forget)
        else:
            lane.end(serial, None, now)
            self._advance(held, now)
        return True

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._young.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
        self._starts_soon()

    async def _attempt(self, lane: Lane[Held], serial: int, held: Held, partner: Partner) -> None:
        """One attempt: send, rule on the outcome, settle."""
        job = held.job
        try:
            outcome = await self._send(job, partner)
        except asyncio.CancelledError:
            lane.end(serial, None, self._clock.now())
            raise
        now = self._clock.now()
        ruling = rule(job, outcome, partner, now, self._fraction(), self._limits.backoff)
        lane.end(serial, ruling.healthy, now)
        if ruling.hold_until is not None:
            lane.hold(ruling.hold_until)
        settlement = self._settling.ruled(job, held.source, outcome, ruling.verdict, now)
        if ruling.pause or (ruling.hold_until or 0) > now + HOLD_TOLD:
            settlement = self._told(settlement, partner, ruling.pause, ruling.hold_until)
        self._tallies.took(job, outcome.duration_ms)
        if outcome.kind == "blocked":
            self._tallies.blocked(job, outcome.error or "blocked", now)
        self._settle(held, settlement, now)
        self._pump(lane)

    async def _send(self, job: Job, partner: Partner) -> Outcome:
        now = self._clock.now()
        try:
            request = finish(job.request, attempt=job.attempts + 1, now=now, secret=self._secret)
        except SecretMissing as error:
            self._missing(error.reference, job.partner, now)
            return Outcome("ours", None, "secret: missing")
        except Unrenderable as error:
            return Outcome("unsendable", None, f"unrenderable: {error}")
        except Exception as error:
            # It would fail again. Neither message nor values are logged: they may hold a secret.
            log.error("a request cannot be finished", job_id=job.job_id, error=_described(error))
            return Outcome("unsendable", None, "unrenderable: internal")
        self._tallies.sent(job, now)
        try:
            return await self._wire.send(jobs.identified(request, job.job_id), partner.timeout)
        except Exception as error:
            # Not the partner's fault, and no reason to lose the job. The URL in a message may hold a secret.
            log.error("sending failed inside the sender", job_id=job.job_id, error=_described(error))
            return Outcome("ours", None, "internal")

    def _missing(self, reference: str, partner: str, now: int) -> None:
        """Alert about a secret without a value, not at each job that waits for it."""
        if now >= self._reminders.get(reference, 0):
            self._reminders[reference] = now + REMINDER
            log.error("a secret has no value, its jobs wait", reference=reference, partner=partner)

    def _told(self, settlement: Settlement, partner: Partner, pause: bool, until: int | None) -> Settlement:
        """Tell the other senders, in the same transaction; a pause that is in force is not written over."""
        known = self._rules.partner_controls.get(partner.id)
        if known is not None and (known.paused or ((known.hold_until or 0) >= (until or 0) and not pause)):
            return settlement
        change = Control(paused=pause, hold_until=until, reason="410 Gone" if pause else "Retry-After")
        if pause:
            log.error("the partner answered 410 and is paused", partner=partner.id)
        self._rules = self._rules.with_control("partner", partner.id, change)
        key, value = controls.encode(controls.Target("partner", partner.id), change)
        return settlement._replace(records=(*settlement.records, Record(self._control_topic, key, value or b"", 0)))

    def _settle(self, held: Held, settlement: Settlement, now: int) -> None:
        self._held.discard(held)
        if held.tracker.open:
            self._tallies.settled(held.job, settlement, now)
            self._outbox.put(held.tracker, held.source.offset, settlement.records)

    # Time.

    async def run(self) -> None:
        """Let time pass, for ever: heads of delay topics, jobs that fall due, lanes that may go on."""
        loop = asyncio.get_running_loop()
        late = busy = 0.0
        before, computed = loop.time(), time.thread_time()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now, used = loop.time(), time.thread_time()
            late += 0.3 * (now - before - TICK_SECONDS - late)
            busy += 0.3 * ((used - computed) / (now - before) - busy)
            before, computed = now, used
            self._saturated = busy > SATURATED_SHARE or late > SATURATED_SECONDS
            self.tick()

    def tick(self) -> None:
        """What is to be done by now. Raises the error of an attempt that failed by our own fault."""
        if self._broken is not None:
            raise self._broken
        now = self._clock.now()
        while self._young and self._young[oldest := next(iter(self._young))] < now - YOUNG_MS:
            del self._young[oldest]
        self._starts_soon()
        for record in self._heads.take(max(0, self._bound - len(self._held))):
            self._open(record, now)
        while self._waiting and self._waiting[0][0] <= now:
            self._advance(heapq.heappop(self._waiting)[2], now)
        while self._wakes and self._wakes[0][0] <= now:
            at, name = heapq.heappop(self._wakes)
            if self._wake_of.get(name) == at:
                del self._wake_of[name]
                self._pump(self._lanes[name])
        self._ticks += 1
        if self._ticks % REVIEW_TICKS == 0:
            self._review(now)
        if self._ticks % TELL_TICKS == 0:
            self._tell(now)

    def _review(self, now: int) -> None:
        self._pressed = any(tracker.pressed(500) for tracker in self.trackers if len(tracker) > 400)
        waiting = Counter(held.job.partner for _, _, held in self._waiting)
        for name, lane in list(self._lanes.items()):
            for held in lane.shed(now):
                at = lane.reserve(now)
                self._settle(held, self._settling.parked(held.job, held.source, at, now, "lane", True), now)
            queued = len(lane.queue) + waiting[name]
            # A partner that nobody wants to reach is not probed, and not held.
            broken = (state := lane.breaker.look(now)) == "open" or (state == "probing" and not lane.idle)
            gone = lane.idle and name not in self._rules.partners
            self._tallies.lane(name, lane.in_flight, queued, lane.hold_until > now and not gone, broken and not gone)
            if gone:
                del self._lanes[name]
                self._wake_of.pop(name, None)

    def _tell(self, now: int) -> None:
        """Tell what waits in the delay topics."""
        heads = self._heads.waiting()
        jobs = {topic: unread + (heads[topic].jobs if topic in heads else 0) for topic, unread in self.unread.items()}
        ends = self._limits.tiers.ends
        self._tallies.delayed(jobs, {topic: ends(one.tier, one.oldest) for topic, one in heads.items()}, now)

    @property
    def in_memory(self) -> int:
        """How many jobs are in memory."""
        return len(self._held)

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return len(self._tasks)


def _described(error: Exception) -> str:
    """What kind of error it is and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}" if frames else type(error).__name__
