"""What one processed record means for the postbacks: a job, or a no with its reason, for each candidate (contract §5,
§6).
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import methodcaller
from typing import Literal, NamedTuple

import msgspec

from schemas.config import DAY
from schemas.decision import QUIET, RESULTS, Decision, DerivedNote, Verdict
from schemas.job import Job
from schemas.report import cut
from schemas.touch import Touch
from streams.attribution.events import SESSION
from streams.attribution.fold import Derived, Fact
from streams.postbacks.index import Candidate, Index, Scope
from streams.postbacks.jobs import record_part
from streams.postbacks.unfired import unfired
from streams.postbacks.values import Occasion
from streams.templates.request import Refusal

#: How much the decisions topic tells: nothing; every no but the quiet ones; everything, jobs included.
Level = Literal["off", "nos", "all"]

#: By level: what may have become of a record without verdicts that is not worth a decision.
SILENT: dict[Level, frozenset[str]] = {
    "off": frozenset(RESULTS),
    "nos": frozenset(("processed", "held")),
    "all": frozenset(),
}

_encode = msgspec.json.Encoder().encode
#: A job has twenty fields, and few are the record's own: a copy is made in a third of the time.
_copy = methodcaller("__copy__")


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A job, and how it stands in the delivery topic."""

    job: Job
    value: bytes


class No(NamedTuple):
    """Why there is no job, and the source of the attribution that it was asked for."""

    verdict: Verdict
    touch: Touch | None


class Decided(msgspec.Struct, frozen=True, gc=False):
    """The jobs of one record, the noes of the other postbacks that were addressed, at every level (those to jobs that
    are too large are dead letters), and what to write to the decisions topic (None: nothing at this level).
    """

    jobs: list[Ready]
    noes: list[No]
    decision: Decision | None


def decide(index: Index, fact: Fact, now: int, level: Level, job_bytes: int, scope: Scope = "device") -> Decided:
    """Decide every candidate postback of one fact, of one scope: the facts of devices and of users are decided apart.

    `now`: milliseconds, when it is decided; it decides nothing. No job has more than `job_bytes`.
    """
    addressed = _addressed(index, fact, scope)
    if not addressed and fact.result in SILENT[level]:
        return Decided([], [], None)
    jobs: list[Ready] = []
    noes: list[No] = []
    verdicts: list[Verdict] = []
    entry = fact.entry
    record_id = record_part(entry.device_key, entry.kind, entry.id, entry.at) if addressed else b""
    for candidate, derived in addressed:
        answer = _decide_one(candidate, derived, fact, candidate.job_id(record_id), now, index.generation, job_bytes)
        if isinstance(answer, Ready):
            jobs.append(answer)
            if level == "all":
                verdicts.append(_yes(answer.job))
            continue
        noes.append(No(answer, derived.attribution.touch))
        if level == "all" or (level == "nos" and answer.reason not in QUIET):
            verdicts.append(answer)
    if level == "all":
        verdicts += _others(index, fact, scope, {verdict.postback_id for verdict in verdicts})
        verdicts += unfired(index, fact, scope)
    silent = not verdicts and fact.result in SILENT[level]
    return Decided(jobs, noes, None if silent else _decision(index, fact, now, verdicts, scope))


def _addressed(index: Index, fact: Fact, scope: Scope) -> list[tuple[Candidate, Derived]]:
    """The candidates whose source each derived event belongs to."""
    found: list[tuple[Candidate, Derived]] = []
    buckets = index.buckets(fact.entry.record.app_id, scope)
    for derived in fact.derived:
        event = derived.event
        if (bucket := buckets.get(event)) is None:
            continue
        candidates = bucket.everyone if event == SESSION else bucket.addressed(derived.attribution)
        for candidate in candidates:
            found.append((candidate, derived))
    if fact.sessions and (bucket := buckets.get(SESSION)) is not None:
        for candidate, session in bucket.since(fact.sessions):
            if session.due:
                found.append((candidate, Derived(SESSION, session.attribution)))
    return found


def _decide_one(
    candidate: Candidate, derived: Derived, fact: Fact, job_id: str, now: int, generation: int, job_bytes: int
) -> Ready | Verdict:
    postback, entry, attribution = candidate.postback, fact.entry, derived.attribution
    if (candidate.conditional or derived.claim) and (reason := _refusal(candidate, derived, fact)):
        return Verdict(postback_id=postback.id, event=derived.event, reason=reason)
    touch, event = attribution.touch, derived.event
    occasion = Occasion(
        entry.record, touch, entry, event, attribution, fact.installed_at, candidate.app, postback, job_id
    )
    request = candidate.request.render(occasion)
    if isinstance(request, Refusal):
        return Verdict(postback_id=postback.id, event=event, reason=request.reason, detail=request.detail)
    job: Job = _copy(candidate.job)
    job.job_id = job_id
    job.record_id = entry.id
    job.device_key = entry.device_key
    job.generation = generation
    job.decided_at = now
    job.due_at = now + postback.delivery_delay
    job.request = request
    job.day = entry.at // DAY
    if touch is not None:
        job.campaign_id, job.campaign_name = campaign_of(touch)
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


def campaign_of(touch: Touch | None) -> tuple[str | None, str | None]:
    """The campaign's id and name, as they are counted."""
    if touch is None:
        return None, None
    campaign_id, campaign_name = touch.campaign_id, touch.campaign_name
    return campaign_id and cut(campaign_id), campaign_name and cut(campaign_name)


def cut_name(text: str | None) -> str | None:
    """A name, if there is one, as it is counted."""
    return None if text is None else cut(text)


def _yes(job: Job) -> Verdict:
    detail = "shadow: it is reported, and never sent" if job.shadow else None
    return Verdict(postback_id=job.postback_id, event=job.event, job_id=job.job_id, detail=detail)


def _others(index: Index, fact: Fact, scope: Scope, answered: set[str]) -> Iterator[Verdict]:
    """The candidates for which the derived event fired, but under another one's attribution."""
    app_id = fact.entry.record.app_id
    for derived in fact.derived:
        bucket = index.bucket(app_id, derived.event, scope)
        # Which start a session is counted from is each postback's own affair: `unfired` tells of them.
        if bucket is None or derived.event == SESSION:
            continue
        for candidate in bucket.every:
            if candidate.postback.id not in answered:
                yield Verdict(postback_id=candidate.postback.id, event=derived.event, reason="other_source")


def _decision(index: Index, fact: Fact, now: int, verdicts: list[Verdict], scope: Scope) -> Decision | None:
    if scope == "user" and not verdicts and not fact.derived:
        return None  # the device stage has told the rest
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
        scope=scope,
    )


def _note(derived: Derived) -> DerivedNote:
    touch = derived.attribution.touch
    return DerivedNote(
        event=derived.event,
        attribution_number=derived.attribution.number,
        publisher_name=cut_name(touch.publisher_name) if touch else None,
        agency_name=cut_name(touch.agency_name) if touch else None,
    )
