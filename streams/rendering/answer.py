"""The postback's job among what a record decides, or why there is none, in words."""

from __future__ import annotations

from typing import NamedTuple

from schemas import dead_letter, decision
from schemas.config import Postback
from schemas.job import Job
from streams.attribution.entry import Rejection
from streams.attribution.events import SESSION, parse
from streams.attribution.facts import Fact
from streams.attribution.state import Attribution
from streams.postbacks.decide import decide
from streams.postbacks.index import Index, Scope, scope_of
from streams.rendering.history import Story
from streams.sources.decode import Rejected

#: What the record as a whole can be, beside `decision.RESULTS` and the reasons of dead letters.
OTHERS = {
    "other_app": "the record is of another app than the postback",
    "other_event": "the record yields other derived events than the one that the postback fires on",
}


class No(NamedTuple):
    """Why there is no job: a key of `decision.NOES`, `decision.RESULTS`, `dead_letter.REASONS` or `OTHERS`, what that
    means, and what more is known.
    """

    reason: str
    meaning: str
    detail: str = ""


class Yes(NamedTuple):
    """The job, and in words the attribution that counted for it."""

    job: Job
    source: str


def refused(rejected: Rejected | Rejection) -> No:
    """Why the last record is none."""
    meaning = decision.RESULTS.get(rejected.reason) or dead_letter.REASONS[rejected.reason]
    return No(rejected.reason, meaning, rejected.detail)


def answer(index: Index, postback: Postback, story: Story, now: int, job_bytes: int) -> Yes | No:
    """The job that the record gives for the postback. `now`: milliseconds, when it is decided."""
    app_id = story.entry.record.app_id
    if app_id != postback.app:
        return No("other_app", OTHERS["other_app"], f"{app_id} is not {postback.app}")
    if story.device.result not in ("processed", "reinstall"):
        return No(story.device.result, decision.RESULTS[story.device.result])
    told = {"device": story.device, "user": story.user}
    scopes: tuple[Scope, ...] = ("device", "user")
    for scope in scopes:
        fact = told[scope]
        found = None if fact is None else _of(index, postback, fact, now, job_bytes, scope)
        if found is not None:
            return found
    if story.device.result == "reinstall":
        return No("reinstall", decision.RESULTS["reinstall"])
    return No("other_event", OTHERS["other_event"], _yielded(postback, story))


def _of(index: Index, postback: Postback, fact: Fact, now: int, job_bytes: int, scope: Scope) -> Yes | No | None:
    """What one stage decides for the postback; None when it is no candidate there."""
    decided = decide(index, fact, now, "all", job_bytes, scope)
    for job in (ready.job for ready in decided.jobs):
        if job.postback_id == postback.id:
            return Yes(job, _source(index, postback, fact, job.event))
    verdicts = decided.decision.verdicts if decided.decision is not None else []
    for verdict in verdicts:
        if verdict.postback_id == postback.id and verdict.reason is not None:
            detail = verdict.detail or _source(index, postback, fact, verdict.event)
            return No(verdict.reason, decision.NOES[verdict.reason], detail)
    return None


def _source(index: Index, postback: Postback, fact: Fact, event: str) -> str:
    """Whose event it is to this postback, for who looks for his own."""
    if event == SESSION and postback.delivery_method != "all":
        return _session(index, postback, fact)
    for derived in fact.derived:
        if derived.event == event:
            return f"{event} goes by {_told(derived.attribution)}"
    return ""


def _session(index: Index, postback: Postback, fact: Fact) -> str:
    """Each partner has sessions of its own, whoever has brought the user back since."""
    bucket = index.bucket(postback.app, SESSION, scope_of(postback))
    for candidate, session in bucket.since(fact.sessions) if bucket is not None else ():
        if candidate.postback.id == postback.id:
            newer = session.attribution is not fact.sessions[0].attribution
            current = f"; the current one is {_told(fact.sessions[0].attribution)}" if newer else ""
            return f"{SESSION} goes by {_told(session.attribution)}, the latest to {postback.partner}{current}"
    return f"{SESSION} goes by the latest attribution to {postback.partner}: there is none"


def _told(attribution: Attribution) -> str:
    touch = attribution.touch
    names = (touch.publisher_name, touch.agency_name, touch.campaign_id or touch.campaign_name) if touch else ()
    return f"attribution {attribution.number}, {', '.join(name for name in names if name) or 'organic'}"


def _yielded(postback: Postback, story: Story) -> str:
    facts = {"device": story.device, "user": story.user}
    found = [(derived.event, scope) for scope, fact in facts.items() if fact for derived in fact.derived]
    names = [event for event, _ in found]
    # A first may be both the device's and the user's.
    told = [f"{event} ({scope})" if names.count(event) > 1 else event for event, scope in found]
    fires_on = postback.match_event or postback.event
    row = parse(fires_on)
    of_user = postback.scope == "user" or (row is not None and row.scopes == ("user",))
    without = f"; it carries no user_id, and {fires_on} is of the user here" if of_user and story.user is None else ""
    return f"{', '.join(told) or 'none'}, not {fires_on}{without}"
