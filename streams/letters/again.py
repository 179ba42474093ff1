"""What is written when a dead letter is replayed, or why it cannot be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.job import Job
from streams.delivery.course import Rules
from streams.delivery.jobs import Poison, decode, encode
from streams.engine.letters import KEY_BYTES_KEPT, RAW_BYTES_KEPT, UNKNOWN_OFFSET

from .found import Found

#: Why a letter, or a job that ended otherwise, is not replayed; `{detail}` is what there is to know of this one.
REFUSALS: dict[str, str] = {
    "no_job": "its record is no job that a sender could work on{detail}",
    "partner_removed": "its partner is not in the configuration any more: the job would end as `suppressed` at once",
    "shadow": "its postback is in `shadow`: the job would end as `suppressed` at once",
    "no_postback": "its postback is not in the configuration any more, so there is no current template",
    "no_history": "the input topics as they are now give no such job under the current configuration{detail}",
    "attributed_otherwise": "by the input topics as they are now the job would be of another campaign: what came "
    "before it is no longer there",
    "partition": "its partition does not exist",
    "null": "its value is null, and would be refused again",
    "cut": "it is too large to be kept whole",
    "decoded": "it was held or came from a state, and is not at hand as it was read",
    "no_source": "its topic is no source in the configuration any more",
    "waiting": "it has not ended, and is still to be sent",
    "under_way": "a replay of it is under way, and has not ended",
    "ended": "it has no open dead letter{detail}; `--again` sends it once more",
    "gone": "it has ended, and the delivery topic does not hold it any more",
    "erased": "its user was erased",
    "other": "its dead letter is not one of those that the options mean",
    "other_job": "it is not one of those that the options mean",
    "no_letter": "it has no dead letter; a job that still waits is ended by `ringback purge`",
    "nowhere": "no dead letter lies there",
    "unknown": "no topic holds it: the delivery topic keeps jobs for a week, receipts and dead letters for a month "
    "(unless set otherwise)",
}


class Record(NamedTuple):
    """A record to write."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Refused(NamedTuple):
    """Why nothing is written; `word` is a key of `REFUSALS`."""

    word: str
    detail: str = ""

    def __str__(self) -> str:
        return REFUSALS[self.word].format(detail=self.detail and f": {self.detail}")


class Place(NamedTuple):
    """Where records go: the delivery topic, by topic how many partitions there are (it and the sources that are
    configured), and what decides over jobs now.
    """

    delivery: str
    partitions: Mapping[str, int]
    rules: Rules


class Fresh(NamedTuple):
    """Jobs by id as the current configuration decides them, and by id why there is none."""

    jobs: Mapping[str, Job]
    refused: Mapping[str, Refused]


def letter(found: Found, place: Place, now: int, fresh: Fresh | None = None) -> Record | Refused:
    """What replays a letter. `fresh`: its request is the one of the current template."""
    if found.letter.kind == "input":
        return _input(found.letter, place)
    job = job_in(found.letter)
    if isinstance(job, Refused):
        return job
    return replay(job, found.letter.key, found.address.partition, place, now, fresh)


def job_in(found: DeadLetter) -> Job | Refused:
    """The job that a letter carries."""
    try:
        return msgspec.json.decode(found.value or b"", type=Job)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Refused("no_job", found.detail)


def replay(
    job: Job, key: bytes | None, partition: int, place: Place, now: int, fresh: Fresh | None = None
) -> Record | Refused:
    """What sends a job again that has ended: the same job, as if it were due for the first time."""
    postback = place.rules.postbacks.get(job.postback_id)
    if job.partner not in place.rules.partners:
        return Refused("partner_removed")
    if postback is not None and postback.status == "shadow":
        return Refused("shadow")
    if partition >= place.partitions.get(place.delivery, 0):
        return Refused("partition")
    if fresh is not None:
        rendered = _rendered(job, fresh)
        if isinstance(rendered, Refused):
            return rendered
        job = rendered
    again = msgspec.structs.replace(
        job, attempts=0, due_at=now, shadow=False, replay=True, replayed_at=now, reserved=False
    )
    value = encode(again)
    read = decode(value, now)
    return Refused("no_job", read.detail) if isinstance(read, Poison) else Record(place.delivery, partition, key, value)


def _rendered(job: Job, fresh: Fresh) -> Job | Refused:
    """The job with the request, the age and the redeliveries of today; whose it is and when it was decided stays."""
    found = fresh.jobs.get(job.job_id)
    if found is None:
        return fresh.refused.get(job.job_id, Refused("no_history"))
    if (found.campaign_id, found.campaign_name) != (job.campaign_id, job.campaign_name):
        return Refused("attributed_otherwise")
    return msgspec.structs.replace(
        job,
        request=found.request,
        max_age=found.max_age,
        retry_attempts=found.retry_attempts,
        generation=found.generation,
    )


def _input(found: DeadLetter, place: Place) -> Record | Refused:
    if found.offset == UNKNOWN_OFFSET or not found.topic:
        return Refused("decoded")
    if found.value is None:
        return Refused("null")
    # One that is as large as what is kept may be whole; nobody could tell.
    if len(found.value) >= RAW_BYTES_KEPT or len(found.key or b"") >= KEY_BYTES_KEPT:
        return Refused("cut")
    if found.topic == place.delivery or found.topic not in place.partitions:
        return Refused("no_source")
    if not 0 <= found.partition < place.partitions[found.topic]:
        return Refused("partition")
    return Record(found.topic, found.partition, found.key, found.value)
