"""What is to be done with a job now: nothing ever again, later, or its partner's lane. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from schemas.config import Configuration, Partner, Postback
from schemas.control import Control, TargetKind
from schemas.job import Job


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides over queued jobs: the newest configuration by id, and the pauses, holds and purges of the control
    topic by id.
    """

    partners: Mapping[str, Partner] = field(default_factory=dict)
    postbacks: Mapping[str, Postback] = field(default_factory=dict)
    partner_controls: Mapping[str, Control] = field(default_factory=dict)
    postback_controls: Mapping[str, Control] = field(default_factory=dict)
    partner_purges: Mapping[str, Control] = field(default_factory=dict)
    postback_purges: Mapping[str, Control] = field(default_factory=dict)
    #: The postbacks that the configuration pauses, and when that was first seen here.
    paused_since: Mapping[str, int] = field(default_factory=dict)

    def with_configuration(self, configuration: Configuration, now: int | None = None) -> Rules:
        """The same pauses, holds and purges over another generation. `now`: for who wants to know since when what it
        pauses is paused.
        """
        paused = [one.id for one in configuration.postbacks if one.status == "paused"] if now is not None else []
        return replace(
            self,
            partners={partner.id: partner for partner in configuration.partners},
            postbacks={postback.id: postback for postback in configuration.postbacks},
            paused_since={name: self.paused_since.get(name, now or 0) for name in paused},
        )

    def with_control(self, kind: TargetKind, name: str, control: Control | None) -> Rules:
        """The same generation with a pause, hold or purge changed (None: let go)."""
        changed = dict(getattr(self, FIELDS[kind]))
        changed.pop(name, None)
        if control is not None:
            changed[name] = control
        return replace(self, **{FIELDS[kind]: changed})


#: Where `Rules` has the controls of a kind.
FIELDS: dict[TargetKind, str] = {
    "partner": "partner_controls",
    "postback": "postback_controls",
    "purge-partner": "partner_purges",
    "purge-postback": "postback_purges",
}


class End(NamedTuple):
    """The job ends without being sent."""

    outcome: Literal["suppressed", "expired"]
    error: str


class Paused(NamedTuple):
    """Its partner or postback is paused: it waits and is charged nothing. `since` when, in milliseconds, if known."""

    since: int | None = None


class Wait(NamedTuple):
    """It is due at `at`, in the future."""

    at: int


Course = End | Paused | Wait | Partner


def course(job: Job, rules: Rules, now: int) -> Course:
    """The course of `job` at `now`; a Partner means: to be sent to it.

    What a postback says today counts for what is not sent yet: `shadow` and `paused` in the newest configuration
    stop queued jobs too. The hold of a partner is its lane's affair, which spreads what comes after it.
    """
    partner = rules.partners.get(job.partner)
    postback = rules.postbacks.get(job.postback_id)
    status = "active" if postback is None else postback.status
    if job.shadow or status == "shadow":
        return End("suppressed", "shadow")
    if partner is None:
        return End("suppressed", "partner_removed")
    if (rules.partner_purges or rules.postback_purges) and begun(job) < _purged_before(job, rules):
        return End("suppressed", "purged")
    if now > begun(job) + job.max_age:
        return End("expired", "max_age")
    # A time that its lane reserved is not the job's own: the lane may have become faster since.
    if job.due_at > now and not job.reserved:
        return Wait(job.due_at)
    if status == "paused" and not job.replay:
        return Paused(rules.paused_since.get(job.postback_id))
    if not rules.partner_controls and not rules.postback_controls:
        return partner
    return _controlled(job, rules, now) or partner


def begun(job: Job) -> int:
    """From when on the job's age counts: its decision, or its newest replay, for that is asked for to be sent."""
    return job.replayed_at or job.decided_at


def _purged_before(job: Job, rules: Rules) -> int:
    found = (rules.partner_purges.get(job.partner), rules.postback_purges.get(job.postback_id))
    return max((one.purge_before or 0 for one in found if one is not None), default=0)


def _controlled(job: Job, rules: Rules, now: int) -> Paused | Wait | None:
    of_partner = rules.partner_controls.get(job.partner)
    of_postback = rules.postback_controls.get(job.postback_id)
    for one in (of_partner, of_postback):
        if one and one.paused:
            return Paused(one.since)
    if of_postback and of_postback.hold_until and of_postback.hold_until > now:
        return Wait(of_postback.hold_until)
    return None
