"""What one processed record means for the postbacks: a job, or a no with its reason, for each candidate (contract §5,
§6).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from schemas.decision import Decision, DerivedNote, Verdict
from schemas.job import Job
from streams.attribution.fold import Derived, Fact
from streams.postbacks.index import Bucket, Candidate, Index
from streams.postbacks.jobs import job_id
from streams.postbacks.values import Occasion
from streams.templates.request import Refusal

#: How much the decisions topic tells: nothing; every no but *other source* and *other campaign*; everything, jobs
#: included.
Level = Literal["off", "nos", "all"]

#: The noes that the level `nos` leaves out: they are the rule, not news.
_QUIET = frozenset(("other_source", "other_campaign"))


_encode = msgspec.json.Encoder().encode


class Ready(NamedTuple):
    """A job, and how it stands in the delivery topic."""

    job: Job
    value: bytes


class Decided(NamedTuple):
    """The jobs of one record, what to write to the decisions topic (None: nothing at this level), and the noes to jobs
    that are too large, at every level: each of them is a dead letter.
    """

    jobs: list[Ready]
    decision: Decision | None
    too_large: list[Verdict]


def decide(index: Index, fact: Fact, now: int, level: Level, job_bytes: int) -> Decided:
    """Decide every candidate postback of one fact.

    `now`: milliseconds, when it is decided; it decides nothing. No job has more than `job_bytes`.
    """
    jobs: list[Ready] = []
    verdicts: list[Verdict] = []
    too_large: list[Verdict] = []
    for derived in fact.derived:
        bucket = index.bucket(fact.entry.record.app_id, derived.event)
        if bucket is None:
            continue
        for candidate in bucket.addressed(derived.attribution):
            answer = _decide_one(candidate, derived, fact, now, index.generation, job_bytes)
            if isinstance(answer, Ready):
                jobs.append(answer)
                if level == "all":
                    job = answer.job
                    verdicts.append(Verdict(postback_id=job.postback_id, event=job.event, job_id=job.job_id))
                continue
            if answer.reason == "too_large":
                too_large.append(answer)
            if level == "all" or (level == "nos" and answer.reason not in _QUIET):
                verdicts.append(answer)
        if level == "all":
            verdicts += _others(bucket, derived)
    return Decided(jobs, _decision(index, fact, now, level, verdicts), too_large)


def _decide_one(
    candidate: Candidate, derived: Derived, fact: Fact, now: int, generation: int, job_bytes: int
) -> Ready | Verdict:
    postback, entry = candidate.postback, fact.entry
    if reason := _refusal(candidate, derived, fact):
        return Verdict(postback_id=postback.id, event=derived.event, reason=reason)
    identity = job_id(postback.id, derived.event, entry.record.app_id, entry.device_key, entry.kind, entry.id, entry.at)
    occasion = Occasion(entry, derived.event, derived.attribution, fact.installed_at, candidate.app, postback, identity)
    request = candidate.request.render({name: read(occasion) for name, read in candidate.readers})
    if isinstance(request, Refusal):
        return Verdict(postback_id=postback.id, event=derived.event, reason=request.reason, detail=request.detail)
    job = Job(
        job_id=identity,
        postback_id=postback.id,
        partner=postback.partner,
        app_id=entry.record.app_id,
        event=derived.event,
        record_id=entry.id,
        device_key=entry.device_key,
        generation=generation,
        decided_at=now,
        due_at=now + postback.delivery_delay,
        max_age=candidate.partner.max_age,
        retry_attempts=postback.retry_attempts,
        request=request,
        shadow=postback.status == "shadow",
    )
    value = _encode(job)
    if len(value) > job_bytes:
        detail = f"{len(value):,} bytes, at most {job_bytes:,} are possible"
        return Verdict(postback_id=postback.id, event=derived.event, reason="too_large", detail=detail)
    return Ready(job, value)


def _refusal(candidate: Candidate, derived: Derived, fact: Fact) -> str | None:
    """Why this candidate gives no job, a key of `schemas.decision.NOES`; None when nothing speaks against it."""
    postback, live_from = candidate.postback, candidate.app.live_from
    if live_from is not None and fact.entry.at < live_from:
        return "before_live"
    if postback.status == "paused":
        return "paused"
    if derived.claim and postback.delivery_method == "all":
        return "claimed_before"
    if candidate.partner.consent == "required" and fact.entry.record.consent is not True:
        return "no_consent"
    if postback.campaign is not None:
        touch = derived.attribution.touch
        if touch is None or postback.campaign not in (touch.campaign_id, touch.campaign_name):
            return "other_campaign"
    return None


def _others(bucket: Bucket, derived: Derived) -> list[Verdict]:
    addressed = {candidate.postback.id for candidate in bucket.addressed(derived.attribution)}
    return [
        Verdict(postback_id=candidate.postback.id, event=derived.event, reason="other_source")
        for candidate in bucket.every
        if candidate.postback.id not in addressed
    ]


def _decision(index: Index, fact: Fact, now: int, level: Level, verdicts: list[Verdict]) -> Decision | None:
    if level == "off" or (level == "nos" and not verdicts and fact.result in ("processed", "held")):
        return None
    entry = fact.entry
    return Decision(
        record_id=entry.id,
        app_id=entry.record.app_id,
        device_key=entry.device_key,
        kind=entry.kind,
        event_name=entry.name,
        at=entry.at,
        appended=entry.appended,
        decided_at=now,
        generation=index.generation,
        result=fact.result,
        late=fact.late,
        derived=[_note(derived) for derived in fact.derived],
        verdicts=verdicts,
    )


def _note(derived: Derived) -> DerivedNote:
    touch = derived.attribution.touch
    return DerivedNote(
        event=derived.event,
        attribution_number=derived.attribution.number,
        publisher_name=touch.publisher_name if touch else None,
        agency_name=touch.agency_name if touch else None,
    )
