"""What is to be done with a job now: nothing ever again, later, or its partner's lane. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.config import Configuration, Partner, Postback
from schemas.control import Control
from schemas.job import Job


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides over queued jobs: the newest configuration by id, and the pauses and holds of the control topic
    by id.
    """

    partners: Mapping[str, Partner] = field(default_factory=dict)
    postbacks: Mapping[str, Postback] = field(default_factory=dict)
    partner_controls: Mapping[str, Control] = field(default_factory=dict)
    postback_controls: Mapping[str, Control] = field(default_factory=dict)

    def with_configuration(self, configuration: Configuration) -> Rules:
        """The same pauses and holds over another generation."""
        return Rules(
            {partner.id: partner for partner in configuration.partners},
            {postback.id: postback for postback in configuration.postbacks},
            self.partner_controls,
            self.postback_controls,
        )

    def with_control(self, kind: Literal["partner", "postback"], name: str, control: Control | None) -> Rules:
        """The same generation with a pause or hold changed (None: let go)."""
        changed = dict(self.partner_controls if kind == "partner" else self.postback_controls)
        changed.pop(name, None)
        if control is not None:
            changed[name] = control
        if kind == "partner":
            return Rules(self.partners, self.postbacks, changed, self.postback_controls)
        return Rules(self.partners, self.postbacks, self.partner_controls, changed)


class End(NamedTuple):
    """The job ends without being sent."""

    outcome: Literal["suppressed", "expired"]
    error: str


class Paused(NamedTuple):
    """Its partner or postback is paused: it waits and is charged nothing."""


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
    if now > job.decided_at + job.max_age:
        return End("expired", "max_age")
    if job.due_at > now:
        return Wait(job.due_at)
    if status == "paused" and not job.replay:
        return Paused()
    controlled = _controlled(job, rules, now)
    return partner if controlled is None else controlled


def _controlled(job: Job, rules: Rules, now: int) -> Paused | Wait | None:
    if not rules.partner_controls and not rules.postback_controls:
        return None
    of_partner = rules.partner_controls.get(job.partner)
    of_postback = rules.postback_controls.get(job.postback_id)
    if (of_partner and of_partner.paused) or (of_postback and of_postback.paused):
        return Paused()
    if of_postback and of_postback.hold_until and of_postback.hold_until > now:
        return Wait(of_postback.hold_until)
    return None
