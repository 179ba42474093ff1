"""The records that settle a job: its receipts, its retry, its dead letter. Pure: what is written where, not the
writing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.job import Job
from schemas.report import LAST_DAY
from streams.kafka import TIERS_MS, Topics

from . import jobs, receipts, retry
from .course import End
from .outcome import Outcome
from .tiers import Tiers

Terminal = Literal["delivered", "failed", "suppressed", "expired"]


#: The row of the report that a job counts in: its day (since 1970), app, generation, partner, postback, event, campaign
#: and the campaign's name.
Row = tuple[int, str, int, str, str, str, str | None, str | None]


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How a job ended, and where that counts."""

    row: Row
    outcome: Terminal


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record to write; `partition` None: the one with the number of the job's own. `ended`: what a terminal receipt
    says for the report.
    """

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None
    ended: Ended | None = None


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What to write, and what to count: the attempt's outcome, the job's, the dead letter's reason, why it waits."""

    records: tuple[Record, ...]
    attempt: Literal["delivered", "failed"] | None = None
    terminal: Terminal | None = None
    dead: str | None = None
    waits: str | None = None


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a job was read: its key, and its place for a dead letter."""

    topic: str
    partition: int
    offset: int
    key: bytes | None


class Settling:
    """Words the end, or the next step, of jobs."""

    def __init__(self, topics: Topics, tiers: Tiers) -> None:
        self._receipts = topics.receipts
        self._dead_letters = topics.dead_letters
        self._retries = [topics.retry(tier) for tier in TIERS_MS]
        self._tiers = tiers

    def ended(self, job: Job, source: Source, end: End, now: int) -> Settlement:
        """The job ends without being sent."""
        value = receipts.terminal(job, end.outcome, job.attempts, now, error=end.error)
        return Settlement((self._last(job, source, end.outcome, value),), terminal=end.outcome)

    def _last(self, job: Job, source: Source, outcome: Terminal, value: bytes) -> Record:
        """The terminal receipt. A replay has ended before: it is not counted again. One of day 0 was written before
        there were reports, and not counted as decided.
        """
        if job.replay or not 0 < job.day <= LAST_DAY:
            return Record(self._receipts, source.key, value)
        row = (
            job.day,
            job.app_id,
            job.generation,
            job.partner,
            job.postback_id,
            job.event,
            job.campaign_id,
            job.campaign_name,
        )
        return Record(self._receipts, source.key, value, None, Ended(row, outcome))

    def parked(
        self, job: Job, source: Source, at: int, now: int, why: str, reserved: bool = False, ahead: int = 0
    ) -> Settlement:
        """The job waits in a delay topic until `at`, not earlier than it is due; no attempt is charged. Where it can,
        it is back so many milliseconds `ahead`.
        """
        later = msgspec.structs.replace(job, due_at=max(at, job.due_at), reserved=reserved)
        return Settlement((self._delayed(later, source, now, ahead),), waits=why)

    def _delayed(self, job: Job, source: Source, now: int, ahead: int = 0) -> Record:
        tier = self._tiers.tier_for(job.due_at - now - ahead) or 0
        return Record(self._retries[tier], source.key, jobs.encode(job))

    def ruled(self, job: Job, source: Source, outcome: Outcome, verdict: retry.Verdict, now: int) -> Settlement:
        """An attempt is over."""
        match verdict:
            case retry.Delivered():
                first = Record(self._receipts, source.key, receipts.attempt(job, outcome, True, now, None))
                last = receipts.terminal(job, "delivered", job.attempts + 1, now, outcome.status)
                records = (first, self._last(job, source, "delivered", last))
                return Settlement(records, attempt="delivered", terminal="delivered")
            case retry.Retry(at):
                first = Record(self._receipts, source.key, receipts.attempt(job, outcome, False, now, at))
                again = msgspec.structs.replace(job, attempts=job.attempts + 1, due_at=at, reserved=False)
                return Settlement((first, self._delayed(again, source, now)), attempt="failed", waits="redelivery")
            case retry.Failed(reason):
                return self._failed(job, source, outcome, reason, now)
            case retry.Suppressed(error):
                value = receipts.terminal(job, "suppressed", job.attempts, now, error=error)
                return Settlement((self._last(job, source, "suppressed", value),), terminal="suppressed")
            case retry.NotCharged(at):
                return self.parked(job, source, at, now, "ours")

    def _failed(self, job: Job, source: Source, outcome: Outcome, reason: str, now: int) -> Settlement:
        error = outcome.error or (f"status {outcome.status}" if outcome.status is not None else reason)
        last = receipts.terminal(job, "failed", job.attempts + 1, now, outcome.status, outcome.error or reason)
        spent = msgspec.structs.replace(job, attempts=job.attempts + 1)
        letter = self._letter(reason, error, source, now, jobs.encode(spent), job, outcome.status)
        first = Record(self._receipts, source.key, receipts.attempt(job, outcome, False, now, None))
        records = (first, self._last(job, source, "failed", last), letter)
        return Settlement(records, attempt="failed", terminal="failed", dead=reason)

    def poisoned(self, poison: jobs.Poison, source: Source, value: bytes | None, now: int) -> Settlement:
        """The record is no job, or one with absurd values; one that can be read ends with a receipt too."""
        letter = self._letter("poison", poison.detail, source, now, value, poison.job, None)
        if poison.job is None:
            return Settlement((letter,), dead="poison")
        last = receipts.terminal(poison.job, "failed", poison.job.attempts, now, error=f"poison: {poison.detail}")
        named = msgspec.structs.replace(source, key=jobs.short(source.key))
        return Settlement((self._last(poison.job, named, "failed", last), letter), terminal="failed", dead="poison")

    def _letter(
        self,
        reason: str,
        detail: str,
        source: Source,
        now: int,
        value: bytes | None,
        job: Job | None,
        status: int | None,
    ) -> Record:
        place = (source.topic, source.partition, source.offset)
        letter = receipts.dead_letter(reason, detail, place, now, source.key, value, job, status)
        return Record(self._dead_letters, jobs.short(source.key), letter)
