"""Each postback's answer to a record: what was recorded, and where nothing was, what the rules come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from schemas.decision import Decision, Verdict
from streams.attribution import users
from streams.attribution.entry import Entry
from streams.attribution.facts import Derived, Fact
from streams.attribution.users import User
from streams.postbacks.decide import decide
from streams.postbacks.index import Candidate, Index, Scope
from streams.postbacks.jobs import job_id

from .clues import say
from .found import Material, UserSeen
from .jobs import job_story
from .scene import Scene
from .sentences import DIFFERENCES, NOES, sentence
from .told import Answer, JobStory
from .words import span

#: A postback and the derived event that it answers to.
Which = tuple[str, str]


class Judged(NamedTuple):
    """What the rules come to: the fact, its scope, and each candidate's verdict."""

    fact: Fact
    scope: Scope
    verdicts: dict[Which, Verdict]


def answers(scene: Scene, index: Index) -> list[Answer]:
    """The answers of all candidates of the record: jobs first."""
    material, entry = scene.material, scene.entry
    jobs = {(one.postback_id, one.event): one for one in _recorded_jobs(material, entry)}
    said = {(one.postback_id, one.event): one for one in _recorded_noes(material, entry)}
    found: dict[Which, Answer] = {}
    for judged in _judged(scene, index):
        here = scene._replace(fact=judged.fact)
        for which, verdict in judged.verdicts.items():
            found[which] = _answer(here, index, judged.scope, verdict, jobs.get(which), said.get(which))
    for which, recorded in {**said, **jobs}.items():
        if which not in found:
            is_job = recorded if which in jobs else None
            found[which] = _answer(scene, index, "device", recorded, is_job, said.get(which))
    return sorted(found.values(), key=lambda one: one.job is None)


def _judged(scene: Scene, index: Index) -> Iterator[Judged]:
    material, fact = scene.material, scene.reading.processed
    if fact is None:
        return
    yield Judged(fact, "device", _decide(material, index, fact, "device"))
    if fact.result in ("processed", "reinstall") and material.user is not None and scene.app is not None:
        of_user = user_fact(material.user, fact, scene)
        yield Judged(of_user, "user", _decide(material, index, of_user, "user"))


def _decide(material: Material, index: Index, fact: Fact, scope: Scope) -> dict[Which, Verdict]:
    decision = decide(index, fact, material.now, "all", material.job_bytes, scope).decision
    return {(one.postback_id, one.event): one for one in (decision.verdicts if decision else ())}


def user_fact(seen: UserSeen, fact: Fact, scene: Scene) -> Fact:
    """What the record was to its user: exact when the users topic still holds all that was told of the user, and
    otherwise as far as the user's state tells.
    """
    entry = fact.entry
    if exact := _folded(seen, entry, scene):
        return exact
    derived: list[Derived] = []
    first = fact.first
    if seen.state is not None and first is not None and _is_first_of(seen.state, entry):
        derived.append(Derived("new_user", first))
    return msgspec.structs.replace(fact, result="processed", late=False, derived=tuple(derived), sessions=())


def _is_first_of(user: User, entry: Entry) -> bool:
    return (user.record_id, user.device_key, user.since) == (entry.id, entry.device_key, entry.at)


def _folded(seen: UserSeen, entry: Entry, scene: Scene) -> Fact | None:
    user: User | None = None
    for told in seen.told:
        one = users.entry_of(told)
        if scene.app is None:
            return None
        if user is None and (seen.state is None or not _is_first_of(seen.state, one)):
            return None
        user, fact = users.fold(user, told, one, scene.app)
        if (one.kind, one.id, one.device_key, one.at) == (entry.kind, entry.id, entry.device_key, entry.at):
            return fact
    return None


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
    note, reason, text = None, replayed.reason, ""
    if told is not None:
        if replayed.reason is not None:
            note = say(DIFFERENCES["decided"], scene, replayed=_no(scene, replayed.reason))
        reason, text = None, told.text
    elif said is not None and said.reason is not None:
        if said.reason != replayed.reason:
            why = "there would be a job" if replayed.reason is None else f"it is {_no(scene, replayed.reason)}"
            note = say(DIFFERENCES["refused"], scene, replayed=why)
        reason, text = said.reason, _no(scene._replace(detail=said.detail or ""), said.reason)
    elif is_undecided(material.user, scope):
        told = JobStory(job_id="", outcome="unknown", text=DIFFERENCES["undecided"])
        reason, text = None, told.text
    elif replayed.reason is not None:
        text = _no(scene, replayed.reason)
    else:
        identity = (said or replayed).job_id or ""
        told = JobStory(job_id=identity, outcome="unknown", text=_missing(scene, identity))
        text = told.text
    return Answer(
        postback_id=replayed.postback_id,
        partner=candidate.postback.partner if candidate else "",
        event=replayed.event,
        scope=scope,
        reason=reason,
        text=text,
        note=note,
        job=told,
    )


def is_undecided(user: UserSeen | None, scope: Scope) -> bool:
    """Whether the user stage has still to decide what is its affair."""
    return scope == "user" and user is not None and user.state is None


def _missing(scene: Scene, identity: str) -> str:
    material = scene.material
    old = material.now - scene.reading.occurrence.raw.appended > material.jobs_kept
    row = DIFFERENCES["too_old" if old else "missing"]
    return say(row, scene, job_id=identity, kept=span(material.jobs_kept))


def _no(scene: Scene, reason: str) -> str:
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
