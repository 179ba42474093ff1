"""A device's records as they lie in topics, and the material of a story that comes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.config import DAY, HOUR, MINUTE, SECOND, App, Configuration, Endpoint, Partner, Postback, Source
from schemas.user import UserRecord
from streams.attribution import users
from streams.engine.output import Limits
from streams.engine.raw import Raw
from streams.explain.found import Kept, Material, Recorded, SeenJob, UserSeen
from streams.explain.history import history_of
from streams.explain.shown import story_lines
from streams.explain.sifting import Sieve, occurrences
from streams.explain.story import stories
from streams.explain.told import Answer, Story
from streams.postbacks.decide import decide
from streams.postbacks.index import Index

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "START", "World"]

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SOURCES = (Source(topic="installs", record="install"), Source(topic="events", record="event"))
DEVICE = "game|abc"
ENDPOINT = Endpoint(url="https://postback.acme.example/?e={event}")


def postback(event: str = "payment", **more: Any) -> Postback:
    """A postback `p` of Acme on this event."""
    own: dict[str, Any] = {"id": "p", "title": "", "app": "game", "partner": "acme", "event": event}
    return Postback(**(own | {"endpoint": ENDPOINT} | more))


class World:
    """An app with postbacks, and what one of its devices writes: times are given from `START` on."""

    def __init__(
        self, *postbacks: Postback, partners: Sequence[Partner] = (), platform: str = "android", **settings: Any
    ) -> None:
        self.app = App(
            id="game",
            project="shop",
            platform=platform,  # type: ignore[arg-type]
            bundle_id="game",
            **{"device_key": ("visitor_id",) if platform == "web" else ("google_aid",), **settings},
        )
        known = {partner.id for partner in partners}
        others = [Partner(id=one, name=one) for one in ("acme", "globex") if one not in known]
        self.configuration = Configuration(
            generation=7, sources=SOURCES, apps=(self.app,), partners=(*partners, *others), postbacks=postbacks
        )
        self.raws: list[Raw] = []
        self.recorded = Recorded()
        self.kept = Kept(positions={"installs": 10_000, "events": 10_000})
        self.told: list[UserRecord] = []
        self.user: UserSeen | None = None
        self.until: int | None = 1 << 61
        self.now = START + 100 * DAY
        self.limits = Limits()

    def install(self, record_id: str, at: int, appended: int | None = None, **fields: Any) -> None:
        """An install of the device."""
        self._write(0, record_id, at, appended, {"install_timestamp": START + at}, fields)

    def event(self, record_id: str, at: int, name: str = "payment", appended: int | None = None, **fields: Any) -> None:
        """An event of the device."""
        self._write(1, record_id, at, appended, {"event_timestamp": START + at, "event_name": name}, fields)

    def raw(self, value: bytes | None, appended: int = 0, source: int = 1, key: bytes = DEVICE.encode()) -> None:
        """A record as it is."""
        of = SOURCES[source]
        offset = sum(one.topic == of.topic for one in self.raws)
        self.raws.append(Raw(of.topic, 0, offset, START + appended, key, value, of))

    def _write(
        self, source: int, record_id: str, at: int, appended: int | None, own: Mapping[str, Any], fields: dict[str, Any]
    ) -> None:
        device = {"visitor_id": "abc"} if self.app.platform == "web" else {"google_aid": "abc"}
        record = {"id": record_id, "app_id": "game", **device, **own, **fields}
        self.raw(json.dumps(record).encode(), at if appended is None else appended, source)

    def material(self, record_id: str, device_key: str = DEVICE) -> Material:
        """Everything about a record."""
        index = Index(self.configuration)
        sieves = {source.topic: Sieve(record_id, device_key, source, 0) for source in SOURCES}
        for raw in self.raws:
            sieves[raw.topic].take(raw.offset, raw.appended, raw.key, raw.value)
        candidates = [one for sieve in sieves.values() for one in sieve.kept]
        found = occurrences(candidates, record_id, device_key, self.configuration, index, self.limits)
        past = history_of(device_key, found, index, self.limits, self.kept.positions, self.until)
        return Material(
            record_id=record_id,
            device_key=device_key,
            partition=0,
            partitions=1,
            now=self.now,
            live=self.configuration,
            configuration=self.configuration,
            history=past,
            recorded=self.recorded,
            kept=self.kept,
            user=self.user,
            worker="the-worker",
            sender="the-sender",
            job_bytes=self.limits.job_bytes,
        )

    def users(self, key: str = "shop|u1") -> None:
        """The user stage has seen what was written so far."""
        state = None
        index = Index(self.configuration)
        for reading in self.material("").history.readings:
            fact = reading.processed
            if fact is None or fact.result not in ("processed", "reinstall") or not fact.entry.record.user_id:
                continue
            told = users.tell(fact)
            self.told.append(told)
            state, _ = users.fold(state, told, fact.entry, index.apps["game"])
        self.user = UserSeen(key, state, self.told)

    def decided(self, record_id: str, at: int = 0) -> None:
        """The jobs that a worker decides for a record, as they are written."""
        material = self.material(record_id)
        index = Index(self.configuration)
        for reading in material.history.readings:
            fact = reading.processed
            if fact is None or fact.entry.id != record_id:
                continue
            for ready in decide(index, fact, START + at, "nos", 1_000_000).jobs:
                self.recorded.jobs[ready.job.job_id] = SeenJob(ready.job, "ringback.delivery", START + at)

    def stories(self, record_id: str) -> list[Story]:
        """The stories of a record."""
        return stories(self.material(record_id), Index(self.configuration))

    def story(self, record_id: str) -> Story:
        """The only one."""
        (found,) = self.stories(record_id)
        return found

    def stories_of(self, record_id: str, device_key: str) -> Story:
        """The only story of a record of another device."""
        (found,) = stories(self.material(record_id, device_key), Index(self.configuration))
        return found

    def answer(self, record_id: str, name: str = "p", event: str | None = None) -> Answer:
        """What a postback said to the record."""
        answers = [one for one in self.story(record_id).postbacks if one.postback_id == name]
        (found,) = [one for one in answers if event is None or one.event == event]
        return found

    def said(self, record_id: str, about: str) -> str:
        """A paragraph of a record's story."""
        return next((one.text for one in self.story(record_id).said if one.about == about), "")

    def text(self, record_id: str) -> str:
        """The whole story, in one line."""
        lines = [line for story in self.stories(record_id) for line in story_lines(story)]
        return " ".join(" ".join(lines).split())


def copy(one: Any, **changes: Any) -> Any:
    """A record with other fields."""
    return msgspec.structs.replace(one, **changes)
