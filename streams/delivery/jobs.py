"""A record of a delivery topic becomes a job, or is poison; and what a job adds to its request. Pure.

Poison is a record that is no job, or one whose numbers no worker writes. It would come back for ever or hang a lane,
so it is a dead letter at once.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.config import DAY
from schemas.job import Job
from schemas.report import LAST_DAY
from streams.templates.finish import Finished

#: The header that names the job.
IDENTITY = "Idempotency-Key"
#: The most redeliveries a postback may have (contract §6), with room for what an operator replays.
MOST_ATTEMPTS = 100
#: The longest time a job may lie between its decision and its due time. Delays end after 10 min, backoff after an hour.
FARTHEST_DUE = 30 * DAY
MOST_AGE = 366 * DAY
#: So long may its names be together, since they are repeated in every receipt, and twice in its row of the report,
#: where a character may take six; a cut one in a dead letter is so long.
LONGEST_NAMES = 50_000
CUT = 1_000
#: Its key (bytes) goes with every record of it. A worker's is made of names, which are shorter (contract §3).
LONGEST_KEY = 20_000
EARLIEST = 946_684_800_000  # the year 2000

_NAMES = ("job_id", "postback_id", "partner", "app_id", "event", "record_id", "campaign_id", "campaign_name")
_decoder = msgspec.json.Decoder(Job)
_encoder = msgspec.json.Encoder()


class Poison(NamedTuple):
    """Why a record cannot be worked on; `job` when it could at least be read."""

    detail: str
    job: Job | None = None


def decode(value: bytes | None, now: int, key: bytes | None = None) -> Job | Poison:
    """The job in `value` under `key`, or why it is poison. Never raises."""
    if value is None:
        return Poison("the value is null")
    try:
        job = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Poison(str(error)[:CUT])
    complaint = "its key is too long" if key and len(key) > LONGEST_KEY else _complaint(job, len(value), now)
    return job if complaint is None else Poison(complaint[:CUT], _cut(job))


def _names(job: Job) -> dict[str, str]:
    return {name: text for name in _NAMES if (text := getattr(job, name)) is not None}


def _cut(job: Job) -> Job:
    """The job with names that fit into a receipt and a dead letter; the whole is in the letter's value."""
    return msgspec.structs.replace(job, **{name: text[:CUT] for name, text in _names(job).items()})


def short(key: bytes | None) -> bytes | None:
    """The key for a record that has to fit into its topic beside what it says; the whole is in the letter."""
    return key if key is None or len(key) <= LONGEST_KEY else key[:CUT]


def encode(job: Job) -> bytes:
    """The job as the value of a record."""
    return _encoder.encode(job)


def identified(request: Finished, job_id: str) -> Finished:
    """The request with the job's id, by which a partner knows a redelivery."""
    return Finished(request.method, request.url, [*request.headers, (IDENTITY, job_id)], request.body)


def _complaint(job: Job, size: int, now: int) -> str | None:
    # What is shorter as a whole cannot have longer names; to add them up costs as much as all that follows.
    if size > LONGEST_NAMES and sum(map(len, _names(job).values())) > LONGEST_NAMES:
        return "its names are too long"
    if not 0 <= job.attempts <= MOST_ATTEMPTS:
        return f"attempts is {job.attempts}"
    if not 0 <= job.retry_attempts <= MOST_ATTEMPTS:
        return f"retry_attempts is {job.retry_attempts}"
    if not EARLIEST <= job.decided_at <= now + DAY:
        return f"decided_at is {job.decided_at}"
    if not EARLIEST <= job.due_at <= max(now, job.decided_at) + FARTHEST_DUE:
        return f"due_at is {job.due_at}"
    if not 0 <= job.replayed_at <= now + DAY:
        return f"replayed_at is {job.replayed_at}"
    if not 0 <= job.max_age <= MOST_AGE:
        return f"max_age is {job.max_age}"
    if not 0 <= job.day <= LAST_DAY:
        return f"day is {job.day}"
    if not (job.job_id and job.job_id.isascii() and job.job_id.isprintable() and len(job.job_id) <= 200):
        return "job_id is not a printable text of 1 to 200 ASCII characters"
    return None
