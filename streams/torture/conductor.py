"""Does to the workers what the schedule says, one incident after the other, and keeps the account of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from streams.errors import Stop
from streams.torture.fleet import Fleet, Slot
from streams.torture.ledger import Event, Ledger
from streams.torture.schedule import (
    BrokerRestart,
    Counts,
    Death,
    Deaths,
    Incident,
    Join,
    Leave,
    Standstill,
    Zombie,
)
from streams.torture.site import Site

LOOK_SECONDS = 0.2
#: Longer than this nobody waits for workers to be ready again, for one to come to its fault point, for a zombie to
#: learn what it is, or at the end for anything to move.
READY_SECONDS = 150.0
DEATH_SECONDS = 120.0
ZOMBIE_SECONDS = 90.0
STALLED_SECONDS = 90.0

OUTSIDE = "outside"
#: The exit status of whoever does not yet, or no longer, listen to SIGTERM.
TERMINATED = 143


class Feeding(Protocol):
    """What gives them their work."""

    @property
    def waiting(self) -> int:
        """About how much has not been done yet."""
        ...

    def check(self) -> None:
        """Raises `Stop` when it cannot go on."""
        ...

    def finish(self) -> None:
        """No more; returns when Kafka has all that there was. Blocks; raises `Stop`."""
        ...


class Conductor:
    """Used by one thread; all methods block. Raises `Stop` when the run cannot go on, and `Interrupted`."""

    #: What waits, in words.
    waits = "records wait"

    def __init__(
        self, site: Site, fleet: Fleet, feed: Feeding, ledger: Ledger, command: str, say: Callable[[str], None]
    ) -> None:
        self._site, self._fleet, self._feed, self._ledger = site, fleet, feed, ledger
        self._command, self._say = command, say
        self._began = time.monotonic()
        self._extra = ledger.workers

    def begin(self) -> None:
        """Start the workers; returns when all are ready."""
        for number in range(self._ledger.workers):
            self._fleet.start(self._fleet.slot(number))
        self._wait_ready()

    def play(self, incidents: Sequence[Incident]) -> None:
        """All of them."""
        least: int | None = None
        for number, one in enumerate(incidents):
            following = incidents[number + 1] if number + 1 < len(incidents) else None
            waiting = self._feed.waiting
            least = waiting if least is None else min(least, waiting)
            at = round(time.monotonic() - self._began, 1)
            what = told(one, self._command, self._fleet.what)
            self._ledger.events.append(Event(at, what, waiting))
            self._say(f"{number + 1}/{len(incidents)}  {what}; {waiting:,} {self.waits}")
            self._perform(one, following)
        self._ledger.waiting_least = least or 0

    def drain(self) -> None:
        """No more records; returns when everything is applied and nothing is held, or nothing moves any more."""
        self._feed.finish()
        self._wait_ready()
        moved, before, nothing = time.monotonic(), -1, 0
        while nothing < 3:
            self._tend()
            waiting = self._fleet.waiting()
            nothing = nothing + 1 if waiting == 0 else 0
            if waiting is not None and waiting != before:
                moved, before = time.monotonic(), waiting
            elif nothing == 0 and time.monotonic() - moved > STALLED_SECONDS:
                self._ledger.stuck.append(f"at the end {before:,} records wait and nothing moves")
                break
            # The workers look where their inputs end once a second.
            self._site.pause(1.1)
        self._end(self._fleet.slots)

    # -- incidents

    def _perform(self, one: Incident, following: Incident | None) -> None:
        match one:
            case Deaths():
                self._deaths(one, following)
            case Zombie():
                self._zombie(one)
            case Join():
                self._fleet.start(self._fleet.slot(self._extra))
                self._wait_ready()
                self._ledger.rebalances += 1
            case Leave():
                self._end([self._fleet.slot(self._extra)])
                self._wait_ready()
                self._ledger.rebalances += 1
            case BrokerRestart():
                self._site.restart_broker(self._command, one.away, one.abrupt)
                self._wait_ready()
                self._ledger.broker_restarts += 1
            case Standstill():
                self._standstill(one)

    def _deaths(self, one: Deaths, following: Incident | None) -> None:
        fleet = self._fleet
        victims = [(death, fleet.slot(death.slot)) for death in one.victims]
        unarmed = [(death, slot) for death, slot in victims if slot.fault != fault(death)]
        self._end([slot for _, slot in unarmed])
        for death, slot in unarmed:
            fleet.start(slot, fault(death))
        self._die(victims)
        for death, slot in victims:
            if death.wiped:
                fleet.wipe(slot)
                self._ledger.wiped += 1
        # Who is to die at a step in the next round is started for it at once.
        chained = following.victims if isinstance(following, Deaths) else ()
        faults = {death.slot: fault(death) for death in chained}
        for _, slot in victims:
            fleet.start(slot, faults.get(slot.number, ""))
        if not chained:
            self._wait_ready()

    def _die(self, victims: Sequence[tuple[Death, Slot]]) -> None:
        """Returns when all of them are dead, and counts how."""
        begun = time.monotonic()
        left = list(victims)
        while left:
            self._tend()
            passed = time.monotonic() - begun
            for death, slot in list(left):
                late = passed > DEATH_SECONDS
                if late:
                    self._ledger.steps_missed.append(f"{self._fleet.what} {slot.number} at {fault(death)}")
                if not slot.fallen and (late or (not death.place and passed >= death.after)):
                    self._fleet.kill(slot)
                    self._count(OUTSIDE)
                elif slot.fallen:
                    self._count(death.place)
                else:
                    continue
                left.remove((death, slot))
            time.sleep(LOOK_SECONDS if left else 0)

    def _count(self, place: str) -> None:
        self._ledger.kills[place] = self._ledger.kills.get(place, 0) + 1

    def _zombie(self, one: Zombie) -> None:
        fleet, slot = self._fleet, self._fleet.slot(one.slot)
        fleet.pause(slot)
        if not self._until(fleet.all_ready, READY_SECONDS):
            self._stuck(f"while a {fleet.what} stood still")
        self._site.pause(one.after)
        assigned, starts = _assignments(slot), slot.starts
        fleet.resume(slot)

        def knows() -> bool:
            """It has ended, and was started again, or it has joined anew."""
            self._tend()
            return slot.starts > starts or _assignments(slot) > assigned

        if not self._until(knows, ZOMBIE_SECONDS):
            self._stuck(f"{fleet.what} {slot.number} stood still, goes on, and does not know")
        self._wait_ready()
        self._ledger.zombies += 1

    def _standstill(self, one: Standstill) -> None:
        there = [slot for slot in self._fleet.slots if slot.process is not None]
        self._end(there)
        self._site.pause(one.seconds)
        for slot in there:
            self._fleet.start(slot)
        self._wait_ready()
        self._ledger.standstills += 1

    # -- waiting

    def _end(self, slots: Sequence[Slot]) -> None:
        """In order. One that had only just begun is ended by the signal itself."""
        self._fleet.ended.update(status for status in self._fleet.stop(slots) if status not in (0, TERMINATED))

    def _tend(self) -> None:
        self._site.interrupts.check()
        self._feed.check()
        self._fleet.tend()

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            self._tend()
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _wait_ready(self) -> None:
        if self._until(self._fleet.all_ready, READY_SECONDS):
            return
        self._stuck("not ready")
        for slot in self._fleet.slots:
            if slot.running and not slot.ready:
                self._fleet.kill(slot)
                self._fleet.start(slot)
        if not self._until(self._fleet.all_ready, READY_SECONDS):
            raise Stop(
                f"the {self._fleet.what}s do not become ready: {'; '.join(self._fleet.unready())}",
                f"the logs of all {self._fleet.what}s lie in {self._site.logs}",
            )

    def _stuck(self, what: str) -> None:
        self._ledger.stuck.append(f"{what}: {'; '.join(self._fleet.unready())}")


def fault(death: Death) -> str:
    """The fault point of a death as its variable says it; empty for one from outside."""
    return f"{death.place}:{death.nth}" if death.place else ""


def told(one: Incident, command: str = "", who: str = "worker") -> str:
    """An incident in words. `command`: what restarts the broker, if it is not ours. `who`: a worker, or a sender."""
    match one:
        case Deaths():
            return "kill -9: " + ", ".join(_death(death, who) for death in one.victims)
        case Zombie():
            return f"{who} {one.slot} stands still past its session"
        case Join():
            return f"a {who} more"
        case Leave():
            return f"a {who} fewer"
        case BrokerRestart() if command:
            return f"the broker is restarted: {command}"
        case BrokerRestart():
            return f"the broker is {'killed' if one.abrupt else 'stopped'}, back after {one.away:.0f} s"
        case Standstill():
            return f"all {who}s stopped for {one.seconds:.0f} s"


def _death(death: Death, who: str) -> str:
    how = f"at {fault(death)}" if death.place else f"from outside after {death.after:.1f} s"
    return f"{who} {death.slot} {how}{' and wiped' if death.wiped else ''}"


def _assignments(slot: Slot) -> int:
    return sum("assigned partitions: " in line for line in slot.told())


def left_out(counts: Counts, *, can_restart: bool) -> tuple[Counts, list[str]]:
    """The counts as far as they can be done, and what cannot be."""
    missing = []
    if counts.broker_restarts and not can_restart:
        missing.append(f"{counts.broker_restarts} broker restarts: nobody says how (--restart-broker)")
        counts = counts._replace(broker_restarts=0)
    return counts, missing
