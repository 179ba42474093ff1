"""Does to the senders what the schedule says, and notes how much each incident may repeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from streams.torture.conductor import Conductor, told
from streams.torture.delivery.account import Account
from streams.torture.delivery.fleet import Senders
from streams.torture.delivery.judging import Span
from streams.torture.delivery.load import Load
from streams.torture.delivery.reading import Receipts
from streams.torture.fleet import Slot
from streams.torture.schedule import BrokerRestart, Death, Deaths, Incident
from streams.torture.site import Site

#: At the end nobody waits longer than this (seconds) for a job to end, or for what waits to be none.
STALLED_SECONDS = 120.0
#: How often (seconds) senders tell what waits.
TELL_SECONDS = 1.1


class Performance(Conductor):
    """See `Conductor`."""

    waits = "jobs wait"

    def __init__(
        self, site: Site, fleet: Senders, load: Load, account: Account, command: str, say: Callable[[str], None]
    ) -> None:
        super().__init__(site, fleet, load, account, command, say)
        self._senders, self._load, self._account = fleet, load, account

    def _perform(self, one: Incident, following: Incident | None) -> None:
        senders, falls, began = self._senders, len(self._senders.falls), time.time()
        if not isinstance(one, Deaths):
            self._load.part()
        allowed = 0
        if isinstance(one, BrokerRestart):
            allowed = self._without_broker(one)
        else:
            super()._perform(one, following)
        fallen = senders.falls[falls:]
        allowed += sum(fall.flying + fall.just for fall in fallen)
        until = max((fall.moment for fall in fallen), default=time.time())
        waited = max((fall.uncommitted for fall in fallen), default=0.0)
        what = told(one, self._command, senders.what)
        self._account.spans.append(Span(_ms(began), _ms(until), what, allowed, _ms(waited)))

    def _without_broker(self, one: BrokerRestart) -> int:
        """How many requests were under way as the broker went, had just ended, or ended while it was away."""
        before = self._senders.readings()
        self._site.restart_broker(self._command, one.away, one.abrupt)
        now = self._senders.readings()
        self._wait_ready()
        self._account.broker_restarts += 1
        return sum(was.flying + was.just + now[file].ended - was.ended for file, was in before.items() if file in now)

    def _die(self, victims: Sequence[tuple[Death, Slot]]) -> None:
        """See `Conductor`. Whoever was started to die at a step gets its jobs when it is ready for them."""
        self._wait_ready()
        self._load.part()
        super()._die(victims)

    def drain(self) -> None:
        """No more jobs; returns when all have ended and nothing waits, or nothing moves any more. Ends the senders."""
        self._load.finish()
        self._wait_ready()
        jobs, moved, before = len(self._load.due), time.monotonic(), (-1, -1)
        with Receipts(self._site.settings, self._site.interrupts.check) as receipts:
            while True:
                self._tend()
                receipts.read_on()
                ended, waiting = len(receipts.written.ends), self._senders.waiting()
                if ended >= jobs and waiting == 0:
                    break
                if (ended, waiting) != before and waiting is not None:
                    moved, before = time.monotonic(), (ended, waiting)
                elif time.monotonic() - moved > STALLED_SECONDS:
                    self._account.stuck.append(f"at the end {jobs - ended:,} jobs have not ended and nothing moves")
                    break
                self._site.pause(TELL_SECONDS)
        self._end(self._senders.slots)


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
