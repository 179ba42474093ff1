"""A story as data: what the text, and `--json`, are made of. Pure."""

from __future__ import annotations

import msgspec


class Attempt(msgspec.Struct, kw_only=True):
    """One attempt at a job. Times in milliseconds."""

    number: int
    at: int
    outcome: str
    status: int | None
    error: str | None
    duration_ms: float | None
    address: str | None
    next_at: int | None
    replay: bool
    text: str


class JobStory(msgspec.Struct, kw_only=True):
    """What became of a job: `outcome` is that of its terminal receipt, or `waiting`. `decided_at` and `generation` are
    None when no topic holds the job any more.
    """

    job_id: str
    outcome: str
    text: str
    decided_at: int | None = None
    generation: int | None = None
    attempts: list[Attempt] = []


class Answer(msgspec.Struct, kw_only=True):
    """What one postback said to the record. `reason` is a key of `schemas.decision.NOES`, None when there is a job;
    `event` the derived event; `note` what does not fit with the rules as they are now.
    """

    postback_id: str
    partner: str
    event: str
    scope: str
    reason: str | None
    text: str
    note: str | None = None
    job: JobStory | None = None


class Place(msgspec.Struct, kw_only=True):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int
    appended: int


class About(msgspec.Struct, kw_only=True):
    """A paragraph: what it is about, and what there is to say."""

    about: str
    text: str


class Story(msgspec.Struct, kw_only=True):
    """What became of one occurrence of a record. `result` is a key of `schemas.decision.RESULTS`, `unread`, or
    `dead_letter`. `others` are the postbacks of the app that cannot fire on such a record, each with its event.
    """

    record_id: str
    device_key: str
    kind: str
    event_name: str
    at: int | None
    place: Place
    result: str
    late: bool
    said: list[About]
    postbacks: list[Answer]
    others: dict[str, str]
    generation: int


class Period(msgspec.Struct, kw_only=True):
    """An attribution of a device, as its timeline tells it."""

    number: int
    start: int
    reason: str
    source: str
    text: str


class DeviceStory(msgspec.Struct, kw_only=True):
    """A device's state as a timeline. Times in milliseconds; `bytes` is the size of the state as it is stored."""

    device_key: str
    partition: int
    bytes: int
    known_since: int | None
    dormant_from: int | None
    held: int
    attributions: list[Period]
    said: list[About]


class UserStory(msgspec.Struct, kw_only=True):
    """A user's state in words."""

    user_key: str
    partition: int
    bytes: int
    since: int
    said: list[About]
