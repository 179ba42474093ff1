"""Receipts and dead letters of a job: what became of an attempt, of the job, and why. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt

from .outcome import Outcome

#: Raw values are cut here, so that a dead letter fits into its topic's 2 MiB in base64. Jobs are smaller.
RAW_LIMIT = 1_400_000

_encoder = msgspec.json.Encoder()


def attempt(job: Job, outcome: Outcome, delivered: bool, at: int, next_at: int | None) -> bytes:
    """The receipt of the attempt number `job.attempts + 1`."""
    # Fields that are named take ten times as long as these.
    receipt = Receipt(
        "attempt",
        job.job_id,
        job.postback_id,
        job.partner,
        job.app_id,
        job.event,
        job.record_id,
        job.attempts + 1,
        "delivered" if delivered else "failed",
        outcome.status,
        outcome.error,
        at,
        next_at,
        outcome.duration_ms,
        outcome.address,
        outcome.response,
        job.generation,
        job.replay,
    )
    return _encoder.encode(receipt)


def terminal(
    job: Job,
    outcome: Literal["delivered", "failed", "suppressed", "expired"],
    attempts: int,
    at: int,
    status: int | None = None,
    error: str | None = None,
) -> bytes:
    """The one receipt that ends a job; `attempts` is how many were charged in all."""
    receipt = Receipt(
        "terminal",
        job.job_id,
        job.postback_id,
        job.partner,
        job.app_id,
        job.event,
        job.record_id,
        attempts,
        outcome,
        status,
        error,
        at,
        None,  # next_at
        None,  # duration_ms
        None,  # address
        None,  # response
        job.generation,
        job.replay,
    )
    return _encoder.encode(receipt)


def dead_letter(
    reason: str,
    detail: str,
    place: tuple[str, int, int],
    at: int,
    key: bytes | None,
    value: bytes | None,
    job: Job | None = None,
    status: int | None = None,
) -> bytes:
    """A job that ends undelivered, or poison, with its place (topic, partition, offset) and raw bytes."""
    topic, partition, offset = place
    letter = DeadLetter(
        kind="job",
        reason=reason,
        detail=detail,
        topic=topic,
        partition=partition,
        offset=offset,
        at=at,
        key=key,
        value=None if value is None else value[:RAW_LIMIT],
        job_id=job.job_id if job else None,
        postback_id=job.postback_id if job else None,
        partner=job.partner if job else None,
        app_id=job.app_id if job else None,
        event=job.event if job else None,
        status=status,
    )
    return _encoder.encode(letter)
