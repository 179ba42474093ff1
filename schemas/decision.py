"""Decisions (contract §2, §5): what was decided for an input record, and why not when not."""

from __future__ import annotations

from typing import Literal

import msgspec

#: What became of an input record as a whole.
RESULTS: dict[str, str] = {
    "processed": "it was decided what follows from it, be it nothing",
    "held": "waits for an install that may still come",
    "duplicate": "the same id again on the same device, of the same kind",
    "too_late": "older than the newest record of its device by more than dedup_window",
    "reinstall": "another install inside the inactivity window",
    "unknown_app": "no such app is configured",
}

#: Why a candidate postback gave no job. Those from `not_first` on say why its derived event did not fire.
NOES: dict[str, str] = {
    "other_source": "the attribution that the event goes by is another partner's, or organic",
    "other_campaign": "the attribution's campaign is not the postback's",
    "paused": "the postback is paused",
    "no_consent": "the partner requires consent and the record has none",
    "before_live": "the record lies before the app's live_from",
    "missing_required": "a macro marked required, or a parameter with skip_postback, has no value",
    "claimed_before": "the postback had its job for this install before it was claimed",
    "unrenderable": "a value cannot stand where the template puts it",
    "too_large": "the rendered job is larger than the limit",
    "not_first": "the device (or user) has had its first before",
    "not_first_since": "the device has had its first since the attribution began",
    "inside_window": "the last activity lies within the inactivity window",
    "same_period": "the 24-hour period has had its session, or is the first one",
    "late": "the record is late: it opens no attribution, moves no window, and before all attributions is no session",
}

#: The noes that the level `nos` leaves out: they are the rule, not news.
QUIET = frozenset(
    {
        "other_source",
        "other_campaign",
        "not_first",
        "not_first_since",
        "inside_window",
        "same_period",
        "late",
    }
)


class Verdict(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One candidate postback's answer: a job, or a no with its reason (a key of `NOES`) and detail."""

    postback_id: str
    event: str
    job_id: str | None = None
    reason: str | None = None
    detail: str | None = None


class DerivedNote(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A derived event that fired, the number of the attribution it goes by, and that attribution's source (None:
    organic).
    """

    event: str
    attribution_number: int
    publisher_name: str | None = None
    agency_name: str | None = None


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """The story of one input record, as far as the level tells it (`nos` leaves out jobs and the `QUIET` noes).

    What concerns the user rather than the device is decided later and told in a record of its own, with `scope` `user`.
    """

    record_id: str
    app_id: str
    device_key: str
    kind: Literal["install", "event"]
    event_name: str
    at: int
    appended: int
    decided_at: int
    generation: int
    result: str
    late: bool = False
    derived: list[DerivedNote] = []
    verdicts: list[Verdict] = []
    scope: Literal["device", "user"] = "device"
