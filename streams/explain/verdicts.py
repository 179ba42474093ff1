"""Each postback's answer to a record: what was recorded, and where nothing was, what the rules come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.decision import Decision, Verdict
from streams.attribution.entry import Entry
from streams.attribution.facts import Fact
from streams.postbacks.decide import decide
from streams.postbacks.index import Candidate, Index, Scope, scope_of
from streams.postbacks.jobs import job_id

from .clues import say
from .found import Material, UserSeen
from .jobs import job_story
from .scene import Scene
from .sentences import DIFFERENCES, NOES, SILENT, sentence
from .silent import appearance, silent
from .told import Answer, JobStory
from .user_history import Recorded, UserHistory, user_history
from .words import exact

#: Why an event of a user did not fire: what came before it says so.
WHETHER = frozenset(("not_first", "inside_window", "late"))

#: A postback and the derived event that it answers to.
Which = tuple[str, str]


class Judged(NamedTuple):
    """What the rules come to: the fact, its scope, each candidate's verdict, and of the user's scope what the record
    was to its user.
    """

    fact: Fact
    scope: Scope
    verdicts: dict[Which, Verdict]
    past: UserHistory | None = None


def answers(scene: Scene, index: Index) -> list[Answer]:
    """The answers of all candidates of the record: jobs first."""
    material, entry = scene.material, scene.entry
    jobs = {(one.postback_id, one.event): one for one in _recorded_jobs(material, entry)}
    said = {(one.postback_id, one.event): one for one in _recorded_noes(material, entry)}
    found: dict[Which, Answer] = {}
    for judged in _judged(scene, index):
        here = scene._replace(fact=judged.fact, past=judged.past)
        for which, verdict in judged.verdicts.items():
            found[which] = _answer(here, index, judged.scope, verdict, jobs.get(which), said.get(which))
    for which, recorded in {**said, **jobs}.items():
        if which not in found:
            is_job = recorded if which in jobs else None
            found[which] = _answer(scene, index, "device", recorded, is_job, said.get(which))
    for answer in silent(scene, index, {postback_id for postback_id, _ in found}):
        found[answer.postback_id, answer.event] = answer
    return sorted(found.values(), key=lambda one: one.job is None)


def _judged(scene: Scene, index: Index) -> Iterator[Judged]:
    material, fact = scene.material, scene.reading.processed
    if fact is None:
        return
    yield Judged(fact, "device", _decide(material, index, fact, "device"))
    if (past := user_past(scene)) is not None:
        yield Judged(past.fact, "user", _decide(material, index, past.fact, "user"), past)


def _decide(material: Material, index: Index, fact: Fact, scope: Scope) -> dict[Which, Verdict]:
    decision = decide(index, fact, material.now, "all", material.job_bytes, scope).decision
    return {(one.postback_id, one.event): one for one in (decision.verdicts if decision else ())}


def user_past(scene: Scene) -> UserHistory | None:
    """What the record was to its user; None when it has none, or tells its user nothing."""
    fact, seen = scene.reading.processed, scene.material.user
    told = fact is not None and fact.result in ("processed", "reinstall") and fact.entry.record.user_id
    if not told or seen is None or scene.app is None:
        return None
    return user_history(seen, scene.reading, scene.material, _recorded_for_user(scene))


def _recorded_for_user(scene: Scene) -> Recorded:
    """The derived events of the user that were recorded for this record."""
    material, entry = scene.material, scene.entry
    postbacks = {one.id: one for one in material.configuration.postbacks}
    decisions = [one for one in decisions_of(material, entry) if one.scope == "user"]
    jobs = [one for one in _recorded_jobs(material, entry) if one.postback_id in postbacks]
    fired = {one.event for one in jobs if scope_of(postbacks[one.postback_id]) == "user"}
    fired |= {derived.event for decision in decisions for derived in decision.derived}
    return Recorded(frozenset(fired), bool(decisions))


def _recorded_jobs(material: Material, entry: Entry) -> Iterator[Verdict]:
    """The jobs of this record: their ids say that they are."""
    found = {(seen.job.postback_id, seen.job.event, seen.job.job_id) for seen in material.recorded.jobs.values()}
    found |= {(one.postback_id, one.event, one.job_id) for one in material.recorded.receipts}
    for postback_id, event, identity in sorted(found):
        app_id = entry.record.app_id
        if identity == job_id(postback_id, event, app_id, entry.device_key, entry.kind, entry.id, entry.at):
            yield Verdict(postback_id=postback_id, event=event, job_id=identity)


def decisions_of(material: Material, entry: Entry) -> list[Decision]:
    """What was recorded about this record, and neither about another of the same id nor about a duplicate of it."""
    own = (entry.kind, entry.at, entry.appended)
    return [one for one in material.recorded.decisions if (one.kind, one.at, one.appended) == own]


def _recorded_noes(material: Material, entry: Entry) -> Iterable[Verdict]:
    return (
        verdict
        for decision in decisions_of(material, entry)
        if decision.result in ("processed", "reinstall")
        for verdict in decision.verdicts
    )


def _answer(
    scene: Scene, index: Index, scope: Scope, replayed: Verdict, job: Verdict | None, said: Verdict | None
) -> Answer:
    """What one postback said. `job` and `said` are what was recorded: a job, a verdict."""
    material = scene.material
    candidate = candidate_of(material, index, replayed.postback_id)
    scene = scene._replace(candidate=candidate, event=replayed.event, detail=replayed.detail or "")
    told = job_story(material, job.job_id) if job is not None and job.job_id else None
    note, reason = None, replayed.reason
    is_known = _is_known(scene, replayed)
    if told is not None:
        if reason is not None and is_known:
            note = say(DIFFERENCES["decided"], scene, replayed=_no(scene, reason))
        reason = None
    elif said is not None and said.reason is not None:
        if said.reason != reason and is_known:
            why = "there would be a job" if reason is None else f"it is {_no(scene, reason)}"
            note = say(DIFFERENCES["refused"], scene, replayed=why)
        reason, scene = said.reason, scene._replace(detail=said.detail or "")
    else:
        told = _undone(scene, scope, said or replayed, is_known)
        reason = None if told is not None else reason
    return Answer(
        postback_id=replayed.postback_id,
        partner=candidate.postback.partner if candidate else "",
        event=replayed.event,
        scope=scope,
        reason=reason,
        text=told.text if told is not None else _no(scene, reason or ""),
        note=note,
        job=told,
    )


def _undone(scene: Scene, scope: Scope, verdict: Verdict, is_known: bool) -> JobStory | None:
    """What is to be said when nothing was recorded and the rules do not say no; None when they do."""
    if is_undecided(scene.material.user, scope):
        return _unknown(DIFFERENCES["undecided"])
    if not is_known:
        return _unknown(say(DIFFERENCES["untold"], scene))
    if verdict.reason is not None:
        return None
    identity = verdict.job_id or ""
    return _unknown(_missing(scene, identity), identity)


def _unknown(text: str, job_id: str = "") -> JobStory:
    return JobStory(job_id=job_id, outcome="unknown", text=text)


def _is_known(scene: Scene, replayed: Verdict) -> bool:
    """Whether what the rules come to can be relied on: of the user not all may be known that came before."""
    past, app = scene.past, scene.app
    if past is None or app is None or replayed.reason not in WHETHER:
        return True
    return past.knows(replayed.event, replayed.reason, app.inactivity_window)


def is_undecided(user: UserSeen | None, scope: Scope) -> bool:
    """Whether the user stage has still to decide what is its affair."""
    return scope == "user" and user is not None and user.state is None


def _missing(scene: Scene, identity: str) -> str:
    material = scene.material
    old = material.now - scene.reading.occurrence.raw.appended > material.jobs_kept
    row = DIFFERENCES["too_old" if old else "missing"]
    return say(row, scene, job_id=identity, kept=exact(material.jobs_kept))


def _no(scene: Scene, reason: str) -> str:
    if reason == "inside_window" and (way := appearance(scene, scene.event)):
        return say(SILENT[way], scene)
    return say(sentence(NOES, reason, scene.event), scene)


def candidate_of(material: Material, index: Index, postback_id: str) -> Candidate | None:
    """A postback ready to be decided; None when it is not in this generation."""
    found = next((one for one in material.configuration.postbacks if one.id == postback_id), None)
    if found is None:
        return None
    scopes: tuple[Scope, ...] = ("device", "user")
    buckets = [index.bucket(found.app, found.match_event or found.event, scope) for scope in scopes]
    every = [one for bucket in buckets if bucket is not None for one in bucket.every]
    return next((one for one in every if one.postback.id == postback_id), None)
