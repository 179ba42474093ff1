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
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from schemas.config import Configuration, Partner
from schemas.control import Control, TargetKind
from streams import logs
from streams.clock import Clock

from . import jobs, telling
from .attempts import Attempts, Over, Parts
from .blame import described
from .consumer import Taken
from .course import End, Paused, Rules, Wait, course
from .heads import Heads
from .held import Held
from .lanes import Lane, LaneLimits
from .later import Count
from .offsets import Tracker
from .outcomes import Fatal, Outbox
from .retry import Backoff, Ruling
from .schedule import Reserved
from .settling import Record, Settlement, Settling, Source
from .shares import Part, Work, by_partitions
from .tallies import Tallies
from .tiers import Tiers
from .turns import Turns
from .wire import Wire

log = logs.get(__name__)

TICK_SECONDS = 0.01
#: So many heads of delay topics are looked at in one go: what was put away together comes back together, and others are
#: not to wait for all of it.
HEADS_AT_ONCE = 100
#: Every so many ticks the lanes are looked over: what can no longer start soon leaves memory.
REVIEW_TICKS = 25
#: Every so many ticks it is told how much waits in the delay topics.
TELL_TICKS = 100
#: A paused job looks again after half of the time that its pause has lasted, in a hop of its own: after the first of
#: these many shortest delays at least, the second at most. So long may it take until what is resumed goes on.
PAUSED_TIERS = (4, 32)
#: Jobs that wait in memory for their last seconds may be so many times those that are to be sent now; and so many times
#: those of them that wait for their lane's turn: there is always memory for others that have a time of their own.
WAITING_MOST = 5
TURNS_MOST = 4
#: So much of the metadata of their partition (characters) may those need that wait for a time of their own, and those
#: that wait for their turn: it is full beyond that for so many jobs that are read between two looks.
WAITING_NEEDS = 3_000
TURNS_NEED = 2_400
READ_BETWEEN = 250
#: The event loop computes for so much of the time, or is late by so much (seconds): this process is at its limit.
SATURATED_SHARE = 0.7
SATURATED_SECONDS = 0.02
#: A process at its limit has no more requests under way than these that are young: more would only make all of them
#: late, up to time-outs that are not the partners' fault. Older ones wait for a partner, and do not count.
MOST_YOUNG = 256


class Limits(NamedTuple):
    """What the sender is built with; the tests make it faster."""

    tiers: Tiers = Tiers()
    backoff: Backoff = Backoff()
    lane: LaneLimits = LaneLimits()
    prefetch: int = 1_000


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
        self._outbox = outbox
        self._tallies = tallies
        self._control_topic = control_topic
        parts = Parts(wire, settling, clock, tallies, secret, limits.backoff, fraction)
        self._attempts = Attempts(parts, self._over)
        self._turns: Turns[Lane[Held]] = Turns(self._start, self._may_start)
        self._rules = Rules()
        self._lanes: dict[str, Lane[Held]] = {}
        self._heads = Heads(self.due, read_on)
        self._heads_left = False
        self._held: set[Held] = set()
        self._waiting: list[tuple[int, int, Held]] = []
        self._later = Count()
        self._wakes: list[tuple[int, str]] = []
        self._wake_of: dict[str, int] = {}
        self._serial = 0
        self._share = 1.0
        self._part: Callable[[Partner, float], Part] = by_partitions
        self._bound = 0
        self._pressed = False
        self._ran_dry = False
        self._saturated = False
        self._ticks = 0
        self.trackers: set[Tracker] = set()
        #: For each delay topic how many of its records are not even read.
        self.unread: Mapping[str, int] = {}

    # What the consumer's thread asks; reads of single values only.

    def room(self) -> int:
        """How many jobs more there is memory for. None while nothing can be committed: what is settled waits in
        memory too, and a full lane settles all that is read.
        """
        return 0 if self._pressed or self._outbox.late else self._free()

    def hungry(self) -> bool:
        """Whether a lane has run out of jobs since this was asked last."""
        ran_dry, self._ran_dry = self._ran_dry, False
        return ran_dry

    def _free(self) -> int:
        """How many jobs more the lanes may have; those that wait to be due have memory of their own."""
        return self._bound - len(self._held) + len(self._waiting) + self._later.jobs

    def _free_to_wait(self, tracker: Tracker, most: int, need: int) -> int:
        """How many jobs more may wait to be due, of so many times the bound; none of a partition that has as many as
        need so much of its metadata.
        """
        return most * self._bound - len(self._waiting) - self._later.jobs if tracker.needs <= need else 0

    def due(self, tier: int, appended: int) -> bool:
        """Whether a record of a delay topic is to be looked at now."""
        return self._limits.tiers.ends(tier, appended) <= self._clock.now()

    # What decides over jobs.

    def configure(self, configuration: Configuration) -> None:
        """Follow a generation; lanes keep what is under way."""
        self._rules = self._rules.with_configuration(configuration, self._clock.now())
        for name, change in self._rules.partner_controls.items():
            self._tallies.paused(name, change.paused and name in self._rules.partners)
        for name, lane in list(self._lanes.items()):
            partner = self._rules.partners.get(name)
            if partner is not None:
                lane.configure(partner, self._share, self._part(partner, self._share))
            self._pump(lane)

    def control(self, kind: TargetKind, name: str, change: Control | None) -> None:
        """Follow a pause, hold or purge, or its end."""
        self._rules = self._rules.with_control(kind, name, change)
        if kind == "partner":
            self._tallies.paused(name, change is not None and change.paused and name in self._rules.partners)
        lane = self._lanes.get(name) if kind == "partner" else None
        if lane is not None:
            lane.follow(change.hold_until or 0 if change is not None else 0, self._clock.now())
            self._pump(lane)

    # Partitions.

    def assigned(self, trackers: Iterable[Tracker], share: float, delivery_partitions: int) -> None:
        """Work on these partitions from now on, with `share` of each partner's limits."""
        self.trackers |= set(trackers)
        self._bound = self._limits.prefetch * delivery_partitions
        self._tallies.limited(self._bound)
        self._share = share or 1.0
        self.shared(self._part)

    def shared(self, part: Callable[[Partner, float], Part]) -> None:
        """Use these parts of the partners' limits from now on; `part` is given a partner and our partitions' share."""
        self._part = part
        for lane in self._lanes.values():
            lane.configure(lane.partner, self._share, part(lane.partner, self._share))
            self._pump(lane)

    def work(self) -> tuple[float, list[Work]]:
        """Our share of the partitions, and what each lane has done and has to do."""
        work = [Work(one.partner, one.started, one.queued, one.in_flight) for one in self._lanes.values()]
        return self._share if self.trackers else 0.0, work

    async def revoked(self, trackers: Iterable[Tracker], seconds: float) -> None:
        """Drop what waits of these partitions, give what is in flight so many seconds to end, commit, and let go; also
        when it raises `Fatal`.
        """
        going = set(trackers)
        self._drop(going)
        await self._attempts.ended(going, seconds)
        try:
            await asyncio.wait_for(asyncio.shield(self._outbox.flush()), seconds + 5)
        except TimeoutError:
            log.warning("outcomes could not be committed before the partitions went", jobs=len(self._outbox))
        finally:
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
            dropped += lane.drop(lambda held: held.tracker in going)
        self._held.difference_update(dropped)

    async def finish_in_flight(self, seconds: float) -> int:
        """Take nothing more, wait up to so many seconds for what is under way, and return how many requests were
        given up.
        """
        self._drop(set(self.trackers))
        await self._attempts.ended(self.trackers, seconds)
        return self._attempts.give_up()

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
        job = jobs.decode(record.value, now, record.key)
        if isinstance(job, jobs.Poison):
            settlement = self._settling.poisoned(job, source, record.value, now)
            self._tallies.settled(job.job, settlement, now)
            self._outbox.put(tracker, record.offset, settlement.records)
            return
        held = Held(job, tracker, source, record.appended)
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
            at = now + self._limits.tiers.within(PAUSED_TIERS, 0 if step.since is None else (now - step.since) // 2)
            self._settle(held, self._settling.parked(held.job, held.source, at, now, "paused"), now)

    def _wait(self, held: Held, at: int, now: int) -> None:
        """Let a job wait until `at`, its own time."""
        if (
            self._limits.tiers.tier_for(at - now) is None
            and self._free_to_wait(held.tracker, WAITING_MOST, WAITING_NEEDS) > 0
        ):
            self._serial += 1
            heapq.heappush(self._waiting, (at, self._serial, held))
        else:
            self._settle(held, self._settling.parked(held.job, held.source, at, now, "delay"), now)

    def _park(self, held: Held, at: int, now: int, lane: Lane[Held]) -> None:
        """Let a job wait in a delay topic until `at`, which its lane has reserved for it."""
        ahead = lane.ahead
        at = now + ahead + self._limits.tiers.rounded(at - now - ahead)
        self._settle(held, self._settling.parked(held.job, held.source, at, now, "lane", True, ahead), now)

    def _offer(self, held: Held, partner: Partner, now: int) -> None:
        lane = self._lanes.get(partner.id)
        if lane is None:
            part = self._part(partner, self._share)
            lane = Lane(partner, self._limits.lane, self._share, part, self._later)
            self._lanes[partner.id] = lane
            known = self._rules.partner_controls.get(partner.id)
            lane.hold_until = known.hold_until or 0 if known is not None else 0
        job = held.job
        reserved = Reserved(job.due_at, held.appended) if job.reserved else None
        waiting = self._free_to_wait(held.tracker, TURNS_MOST, TURNS_NEED)
        at = lane.offer(held, reserved, now, self._saturated, self._free(), waiting)
        if at is None:
            self._pump(lane)
        else:
            self._park(held, at, now, lane)

    def _pump(self, lane: Lane[Held]) -> None:
        """Let the lane start what it may, in turn with the others, and come back when it may start more."""
        if lane.queued:
            self._turns.add(lane)
        else:
            self._ran_dry = True

    def _may_start(self) -> bool:
        """Not while nothing can be committed: what is sent then is sent again when the partitions are lost. And at
        the process's limit no more at once: they would all be late.
        """
        if self._outbox.late:
            return False
        return not self._saturated or self._attempts.young(self._clock.now()) < MOST_YOUNG

    def _start(self, lane: Lane[Held]) -> bool:
        """Start the lane's next job. False: it may start no more for now, and is woken when it may."""
        now = self._clock.now()
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
            self._attempts.begin(lane, serial, held, step, now)
        else:
            lane.end(serial, None, now)
            self._advance(held, now)
        return True

    def _over(self, over: Over) -> None:
        """An attempt is over."""
        settlement, ruling = over.settlement, over.ruling
        # Of an assignment that is over nothing is written any more; to heed alone what nobody else hears of would
        # leave nobody who could take it back.
        if (ruling.pause or ruling.hold_until is not None) and over.held.tracker.open:
            settlement = self._told(settlement, over.partner, ruling, over.now)
        self._settle(over.held, settlement, over.now)
        self._pump(over.lane)

    def _told(self, settlement: Settlement, partner: Partner, ruling: Ruling, now: int) -> Settlement:
        """Tell the other senders, in the same transaction."""
        known = self._rules.partner_controls.get(partner.id)
        told = telling.told(known, partner.id, ruling.pause, ruling.hold_until or 0, now)
        if not told.records:
            return settlement
        if told.control.paused and not (known and known.paused):
            log.error("the partner answered 410 and is paused", partner=partner.id)
        self._rules = self._rules.with_control("partner", partner.id, told.control)
        records = (Record(self._control_topic, key, value, 0) for key, value in told.records)
        return msgspec.structs.replace(settlement, records=(*settlement.records, *records))

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
            rest = 0.0 if self._heads_left else TICK_SECONDS
            await asyncio.sleep(rest)
            now, used = loop.time(), time.thread_time()
            late += 0.3 * (now - before - rest - late)
            busy += 0.3 * ((used - computed) / (now - before) - busy)
            before, computed = now, used
            self._saturated = busy > SATURATED_SHARE or late > SATURATED_SECONDS
            self.tick()

    def tick(self) -> None:
        """What is to be done by now. Raises `Fatal` when an attempt has failed by our own fault."""
        if (broken := self._attempts.broken or self._turns.broken) is not None:
            raise Fatal(f"a job could not be worked on: {described(broken)}")
        now = self._clock.now()
        self._turns.go_on()
        taken = 0
        for record in self._heads.take(min(HEADS_AT_ONCE, max(0, self._free()))):
            self._open(record, now)
            taken += 1
        self._heads_left = taken == HEADS_AT_ONCE
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
        self._pressed = any(tracker.pressed(READ_BETWEEN) for tracker in self.trackers if len(tracker) > 400)
        waiting = Counter(held.job.partner for _, _, held in self._waiting)
        for name, lane in list(self._lanes.items()):
            for held, at in lane.shed(now, self._free()):
                self._park(held, at, now, lane)
            queued = lane.queued + waiting[name]
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
        return len(self._attempts)
