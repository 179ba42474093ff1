"""Attempts: a job's request is finished, sent once, and ruled on.

A request costs some tens of microseconds, a task of the event loop for each a good part of that; so an attempt is no
task: the wire is given what to call when it is over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import msgspec

from schemas.config import Partner
from schemas.job import Job
from streams import logs
from streams.clock import Clock
from streams.templates.finish import Finished, Unrenderable, finish

from . import jobs, signing
from .blame import described
from .echoes import Echoes
from .held import Held
from .lanes import Lane
from .offsets import Tracker
from .outcome import Outcome
from .retry import Backoff, Ruling, rule
from .secrets import SecretMissing
from .settling import Settlement, Settling
from .tallies import Tallies
from .wire import Sending, Wire

log = logs.get(__name__)

#: The same alert is given again after so long (ms).
REMINDER = 60_000
#: A request that has been under way for less than this (ms) is young.
YOUNG_MS = 250
#: An answer of fewer characters was not cut: `response` is at most 4 KiB, and a character at most 4 bytes.
SURELY_WHOLE = 1_024


class Parts(NamedTuple):
    """What an attempt is made with."""

    wire: Wire
    settling: Settling
    clock: Clock
    tallies: Tallies
    secret: Callable[[str], str]
    backoff: Backoff = Backoff()
    fraction: Callable[[], float] = random.random


class Over(msgspec.Struct, frozen=True, gc=False):
    """An attempt that has ended, at `now`: the ruling, and the records that settle it."""

    lane: Lane[Held]
    held: Held
    partner: Partner
    ruling: Ruling
    settlement: Settlement
    now: int


class Attempts:
    """The requests under way. `over` is called with each that has ended and what follows from it. All belongs to the
    event loop.
    """

    def __init__(self, parts: Parts, over: Callable[[Over], None]) -> None:
        self._wire, self._settling, self._clock, self._tallies, self._secret, self._backoff, self._fraction = parts
        self._tell = over
        self._flying: dict[_Attempt, None] = {}
        self._young: dict[_Attempt, None] = {}
        self._one_over = asyncio.Event()
        self._reminders: dict[str, int] = {}
        #: By partner: one repeats what it was sent itself, and to look for the secrets of a thousand others in each
        #: answer would take longer than all the rest.
        self._echoes: dict[str, Echoes] = {}
        #: An error of our own in an attempt: its job would stay unsettled, and its slot taken, for ever.
        self.broken: BaseException | None = None

    def __len__(self) -> int:
        return len(self._flying)

    def young(self, now: int) -> int:
        """How many were begun within the last moment."""
        while self._young and (oldest := next(iter(self._young))).began < now - YOUNG_MS:
            del self._young[oldest]
        return len(self._young)

    def begin(self, lane: Lane[Held], serial: int, held: Held, partner: Partner, now: int) -> None:
        """Send the request of a job whose lane has given it the slot `serial`."""
        attempt = _Attempt(self, lane, serial, held, partner, now)
        self._flying[attempt] = None
        self._young[attempt] = None
        job = held.job
        request = self._finished(job, partner, now)
        if isinstance(request, Outcome):
            attempt.over(request)
            return
        self._tallies.sent(job, now)
        try:
            attempt.sending = self._wire.begin(jobs.identified(request, job.job_id), partner.timeout, attempt.over)
        except Exception as error:
            # Not the partner's fault, and no reason to lose the job. The URL in a message may hold a secret.
            log.error("sending failed inside the sender", job_id=job.job_id, error=described(error))
            attempt.over(Outcome("ours", None, "internal"))

    def _finished(self, job: Job, partner: Partner, now: int) -> Finished | Outcome:
        try:
            told = partial(self._told, partner.id)
            request = finish(job.request, attempt=job.attempts + 1, now=now, secret=told)
            if partner.signing_secrets:
                request = signing.signed(request, job.job_id, now, partner.signing_secrets, self._secret)
            return request
        except (SecretMissing, signing.Unusable) as error:
            self._missing(error.reference, job.partner, now)
            return Outcome("ours", None, "secret: missing")
        except Unrenderable as error:
            return Outcome("unsendable", None, f"unrenderable: {error}")
        except Exception as error:
            # It would fail again. Neither message nor values are logged: they may hold a secret.
            log.error("a request cannot be finished", job_id=job.job_id, error=described(error))
            return Outcome("unsendable", None, "unrenderable: internal")

    def _told(self, partner: str, reference: str) -> str:
        """The secret that goes into a request to a partner. Raises `SecretMissing`."""
        value = self._secret(reference)
        if partner not in self._echoes:
            self._echoes[partner] = Echoes()
        self._echoes[partner].sent(reference, value)
        return value

    def _missing(self, reference: str, partner: str, now: int) -> None:
        """Alert about a secret without a value, not at each job that waits for it."""
        if now >= self._reminders.get(reference, 0):
            self._reminders[reference] = now + REMINDER
            log.error("a secret has no usable value, its jobs wait", reference=reference, partner=partner)

    def over(self, attempt: _Attempt, outcome: Outcome) -> None:
        """The request has come to `outcome`."""
        if attempt not in self._flying:
            return  # it was given up
        del self._flying[attempt]
        self._young.pop(attempt, None)
        try:
            self._tell(self._ruled(attempt, outcome))
        except Exception as error:
            self.broken = error
        self._one_over.set()

    def _ruled(self, attempt: _Attempt, outcome: Outcome) -> Over:
        lane, held, partner = attempt.lane, attempt.held, attempt.partner
        job, now = held.job, self._clock.now()
        echoes = self._echoes.get(partner.id)
        if outcome.response and echoes is not None:
            response = echoes.hidden(outcome.response, len(outcome.response) < SURELY_WHOLE)
            if response != outcome.response:
                outcome = msgspec.structs.replace(outcome, response=response)
        ruling = rule(job, outcome, partner, now, self._fraction(), self._backoff)
        lane.end(attempt.serial, ruling.healthy, now)
        if ruling.hold_until is not None:
            lane.hold(ruling.hold_until, now)
        self._tallies.took(job, outcome.duration_ms)
        if outcome.kind == "blocked":
            self._tallies.blocked(job, outcome.error or "blocked", now)
        settlement = self._settling.ruled(job, held.source, outcome, ruling.verdict, now)
        return Over(lane, held, partner, ruling, settlement, now)

    async def ended(self, trackers: Iterable[Tracker], seconds: float) -> int:
        """Wait until those of these partitions are over, at most so many seconds; how many are left then."""
        going = set(trackers)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while left := sum(attempt.held.tracker in going for attempt in self._flying):
            self._one_over.clear()
            try:
                await asyncio.wait_for(self._one_over.wait(), max(0.0, deadline - loop.time()))
            except TimeoutError:
                return left
        return 0

    def give_up(self) -> int:
        """Drop all that are under way, unsettled; how many they were."""
        now, given_up = self._clock.now(), list(self._flying)
        self._flying.clear()
        self._young.clear()
        for attempt in given_up:
            attempt.lane.end(attempt.serial, None, now)
            if attempt.sending is not None:
                attempt.sending.cancel()
        return len(given_up)


class _Attempt:
    """A request under way, and whose it is."""

    __slots__ = ("_attempts", "began", "held", "lane", "partner", "sending", "serial")

    def __init__(
        self, attempts: Attempts, lane: Lane[Held], serial: int, held: Held, partner: Partner, began: int
    ) -> None:
        self._attempts = attempts
        self.lane, self.serial, self.held, self.partner, self.began = lane, serial, held, partner, began
        self.sending: Sending | None = None

    def over(self, outcome: Outcome) -> None:
        self._attempts.over(self, outcome)
