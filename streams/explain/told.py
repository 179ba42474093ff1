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
    """What one postback said to the record. `reason` is a key of `schemas.decision.NOES`, or `no_user` or
    `first_activity`, of which no topic tells; None when there is a job. `event` the derived event; `note` what does
    not fit with the rules as they are now.
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


class Line(msgspec.Struct, kw_only=True):
    """A record in the list of its device's records. `record_id`: what `explain` calls it. `at`: own time in
    milliseconds, None of one that cannot be read; `result` as in `Story`.
    """

    record_id: str
    kind: str
    event_name: str
    at: int | None
    place: Place
    result: str
    late: bool


class Listing(msgspec.Struct, kw_only=True):
    """The newest records of a device, the newest last, and how many there are besides."""

    device_key: str
    records: list[Line]
    older: int


class Period(msgspec.Struct, kw_only=True):
    """An attribution of a device, as its timeline tells it. `touched_at`: own time of the click or impression (None:
    organic). `firsts`: the derived events whose first since it is used, `custom_firsts` how many custom events have
    theirs used. `sessions`: the 24-hour periods from its start (2: the second one) that have had their session, as far
    as a late record could still meet them.
    """

    number: int
    start: int
    reason: str
    source: str
    text: str
    is_assumed: bool
    publisher_name: str | None
    agency_name: str | None
    campaign_id: str | None
    campaign_name: str | None
    touched_at: int | None
    firsts: list[str]
    custom_firsts: int
    sessions: list[int]


class Waiting(msgspec.Struct, kw_only=True):
    """A record that a device holds. Own and append time in milliseconds."""

    record_id: str
    event_name: str
    at: int
    appended: int


class DeviceStory(msgspec.Struct, kw_only=True):
    """A device's state as a timeline. Times in milliseconds; `bytes` is the size of the state as it is stored.
    `firsts` are the derived events whose first in the lifetime is used, `custom_firsts` how many custom events have
    theirs used, `remembered` the record ids against duplicates.
    """

    device_key: str
    partition: int
    bytes: int
    known_since: int | None
    clock: int | None
    dormant_from: int | None
    newest: int | None
    too_late_before: int | None
    installed_at: int | None
    firsts: list[str]
    custom_firsts: int
    remembered: int
    held: int
    held_records: list[Waiting]
    attributions: list[Period]
    said: list[About]


class UserStory(msgspec.Struct, kw_only=True):
    """A user's state. Times in milliseconds; the first record is told with its device. `firsts`: as of a device."""

    user_key: str
    partition: int
    bytes: int
    since: int
    app_id: str
    device_key: str
    record_id: str
    clock: int
    newest: int
    firsts: list[str]
    said: list[About]
