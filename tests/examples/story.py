"""A story: records in the order in which they are appended, told to the pure core as the worker tells it.

Devices fold them, users are told of what their devices processed, and both decide the postbacks of their scope. Before
each record the holds that are due by its append time are released; at the end every hold is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.config import Configuration, Source
from schemas.job import Job
from streams.attribution import fold, identity, users
from streams.attribution.entry import Entry, Kind, Rejection
from streams.attribution.fold import Derived, Fact
from streams.attribution.state import Device
from streams.attribution.users import User
from streams.postbacks.decide import decide
from streams.postbacks.index import Index
from streams.sources.decode import Decoder, Rejected
from streams.templates.finish import Finished, finish

JOB_BYTES = 1_000_000


class Told(NamedTuple):
    """What became of a record: the fact of its device, that of its user (None: no user, or not told), and the jobs."""

    fact: Fact
    user_fact: Fact | None
    jobs: list[Job]

    @property
    def derived(self) -> tuple[Derived, ...]:
        """The derived events of both scopes."""
        of_user = self.user_fact.derived if self.user_fact else ()
        return (*self.fact.derived, *(one for one in of_user if one.event in ("new_user", "re_engagement_user")))


class Story:
    """The devices and users of one configuration, from nothing on."""

    def __init__(self, configuration: Configuration) -> None:
        self.index = Index(configuration)
        self.devices: dict[str, Device] = {}
        self.users: dict[str, User] = {}
        self._due: dict[str, int] = {}

    def read(self, entry: Entry) -> list[Told]:
        """Read the next record; what was due before it is released first."""
        told = self.read_past(entry.appended)
        app = self.index.apps[entry.record.app_id]
        device = self.devices.get(entry.device_key)
        return told + self._take(entry.device_key, fold.fold(device, entry, app, self.index.lookbacks))

    def read_past(self, appended: int | None = None) -> list[Told]:
        """Every source has been read past this append time (None: for good)."""
        told: list[Told] = []
        for key, due in sorted(self._due.items(), key=lambda item: item[1]):
            if appended is None or due < appended:
                app = self.index.apps[key.partition("|")[0]]
                told += self._take(key, fold.release(self.devices[key], app, self.index.lookbacks))
        return told

    def _take(self, key: str, step: fold.Step) -> list[Told]:
        self.devices[key] = step.device
        self._due.pop(key, None)
        if step.release_at is not None:
            self._due[key] = step.release_at
        return [self._decide(fact) for fact in step.facts]

    def _decide(self, fact: Fact) -> Told:
        entry = fact.entry
        jobs = decide(self.index, fact, entry.appended, "off", JOB_BYTES).jobs
        user_fact = None
        if entry.record.user_id and fact.result in ("processed", "reinstall"):
            app = self.index.apps[entry.record.app_id]
            key = users.user_key(app, entry.record.user_id)
            self.users[key], user_fact = users.fold(self.users.get(key), users.tell(fact), entry, app)
            jobs = jobs + decide(self.index, user_fact, entry.appended, "off", JOB_BYTES, "user").jobs
        return Told(fact, user_fact, [ready.job for ready in jobs])


def placed(configuration: Configuration, record: dict[str, Any], number: int, appended: int | None = None) -> Entry:
    """A record as somebody writes it, decoded and placed; an install is one without `event_name`.

    `appended`: milliseconds; None: its own time. Raises ValueError when it would become a dead letter.
    """
    kind: Kind = "event" if record.get("event_name", "install") != "install" else "install"
    found = Decoder(Source(topic=f"{kind}s", record=kind), JOB_BYTES).decode(msgspec.json.encode(record))
    if isinstance(found, Rejected):
        raise ValueError(f"{record}: {found.reason} {found.detail}")
    app = next((app for app in configuration.apps if app.id == found.app_id), None)
    if app is None:
        raise ValueError(f"{record}: no app {found.app_id}")
    far = 4_000_000_000_000
    entry = identity.place(found, kind, far if appended is None else appended, f"{kind}s-0-{number}", app)
    if isinstance(entry, Rejection):
        raise ValueError(f"{record}: {entry.reason} {entry.detail}")
    return msgspec.structs.replace(entry, appended=entry.at) if appended is None else entry


def told(configuration: Configuration, records: Iterable[dict[str, Any]]) -> Iterator[Told]:
    """What becomes of records that are appended at their own times, in this order."""
    story = Story(configuration)
    for number, record in enumerate(records):
        yield from story.read(placed(configuration, record, number))
    yield from story.read_past()


def sent(job: Job) -> Finished:
    """The request of a job's first attempt; a secret reads `SECRET`."""
    return finish(job.request, attempt=1, now=job.due_at, secret=lambda _reference: "SECRET")
