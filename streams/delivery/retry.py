"""What follows from an attempt's outcome: a ruling as data, from a pure function over plain data (contract §7)."""

from __future__ import annotations

import email.utils
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.config import HOUR, SECOND, Partner
from schemas.job import Job

from .outcome import Outcome


@dataclass(frozen=True, slots=True)
class Backoff:
    """30 s · 3ⁿ, at most an hour, half of it random. `least` is the shortest wait there is a delay topic for."""

    first: int = 30 * SECOND
    factor: int = 3
    cap: int = HOUR
    least: int = 8 * SECOND

    def wait(self, failed: int, fraction: float) -> int:
        """Milliseconds to wait after `failed` earlier failures; `fraction` in [0, 1) is the caller's random number."""
        whole = self.first
        for _ in range(failed):
            whole *= self.factor
            if whole >= self.cap:
                break
        whole = min(whole, self.cap)
        return whole // 2 + int(whole / 2 * fraction)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A failed attempt was charged; the next one is due at `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed attempt was charged and there will be none after it; `reason` is that of the dead letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The job must not be sent, now or later."""

    error: str


@dataclass(frozen=True, slots=True)
class NotCharged:
    """The fault is on this side: the job waits until `at` and has lost no attempt."""

    at: int


Verdict = Delivered | Retry | Failed | Suppressed | NotCharged


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict on the job, and what it means for the partner: held until a time, paused, healthy or not."""

    verdict: Verdict
    hold_until: int | None = None
    pause: bool = False
    healthy: bool | None = None


_DELIVERED = Ruling(Delivered(), healthy=True)


def within(status: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether `status` lies in one of the inclusive ranges."""
    for low, high in ranges:  # noqa: SIM110 (a generator costs more than all the rest, for each request)
        if low <= status <= high:
            return True
    return False


def retry_after(text: str | None, now: int, cap: int) -> int | None:
    """Milliseconds that a Retry-After header asks for (seconds or an HTTP date), at most `cap`; None: absent or
    garbage.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text) * SECOND, cap) if len(text) <= 12 else cap
    if len(text) > 64 or not text[:1].isalpha():
        return None
    try:
        moment = int(email.utils.parsedate_to_datetime(text).timestamp() * SECOND)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(moment - now, 0), cap)


def rule(job: Job, outcome: Outcome, partner: Partner, now: int, fraction: float, backoff: Backoff) -> Ruling:
    """Rule on `outcome`, the outcome of the attempt number `job.attempts + 1`."""
    status = outcome.status
    answered = outcome.kind == "answer" or outcome.kind == "failure"
    if answered and status is not None and within(status, partner.success_statuses):
        return _DELIVERED
    if outcome.kind == "blocked":
        return Ruling(Suppressed(outcome.error or "blocked"))
    if outcome.kind == "ours":
        # Whose fault it is that a name cannot be looked up, nobody can tell. Nothing is charged; but to ask again for
        # each job every few seconds would take from other partners, so the lane rests as if the partner were down.
        healthy = False if (outcome.error or "").startswith("resolver:") else None
        return Ruling(NotCharged(now + backoff.least + int(backoff.least * fraction)), healthy=healthy)
    if outcome.kind == "unsendable":
        return Ruling(Failed("unsendable"))
    asked = retry_after(outcome.retry_after, now, backoff.cap)
    hold_until = None if asked is None else now + asked
    verdict: Verdict
    if status is not None and within(status, partner.no_retry_statuses):
        verdict = Failed("no_retry_status")
    elif job.attempts >= job.retry_attempts:
        verdict = Failed("attempts_used_up")
    else:
        wait = backoff.wait(job.attempts, fraction) if asked is None else asked
        verdict = Retry(now + max(wait, backoff.least))
    # A refusal (4xx) is an answer of a partner that is well; what opens a breaker is silence and its own faults.
    healthy = status is not None and status < 500
    return Ruling(verdict, hold_until, pause=status == 410, healthy=healthy)
