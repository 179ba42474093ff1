"""Histories of records as a person would write them, and what the last one makes of a postback."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.config import App, Configuration, Endpoint, Partner, Postback, Source
from schemas.job import Job
from streams.attribution.entry import Rejection
from streams.postbacks.index import Index
from streams.rendering import answer as answers
from streams.rendering.answer import No, Yes
from streams.rendering.history import History
from streams.rendering.values import Reader
from streams.sources.decode import Rejected

GAME = App(
    id="game", project="example", platform="android", bundle_id="g", device_key=("google_aid", "os_id", "user_id")
)
OTHER = msgspec.structs.replace(GAME, id="other")
WEB = App(id="site", project="example", platform="web", bundle_id="s", device_key=("visitor_id", "user_id"))
ACME = Partner(id="acme", name="Acme")
SOURCES = (Source(topic="installs", record="install"), Source(topic="events", record="event"))
NOW = 1_780_000_000_000
LIMIT = 100_000


def postback(event: str = "install", **more: Any) -> Postback:
    """A postback of Acme on this event of the game."""
    given: dict[str, Any] = {"id": "p", "title": "", "app": "game", "partner": "acme", "event": event}
    endpoint = Endpoint(url=more.pop("url", "https://acme.example/?c={click_id}"))
    return Postback(**(given | {"endpoint": endpoint} | more))


def index(wanted: Postback, **more: Any) -> Index:
    """A configuration with this postback, compiled."""
    given: dict[str, Any] = {"apps": (GAME, OTHER, WEB), "partners": (ACME,), "sources": SOURCES}
    return Index(Configuration(generation=3, postbacks=(wanted,), **(given | more)))


def install(**more: Any) -> dict[str, Any]:
    """An install brought by Acme."""
    own = {"id": "i", "app_id": "game", "os_id": "ann", "install_timestamp": "2026-01-02T00:00:00Z"}
    return own | {"publisher_name": "acme", "click_id": "clk"} | more


def event(name: str = "payment", day: int = 3, **more: Any) -> dict[str, Any]:
    """An event of the same device, on this day of January at noon."""
    own = {"id": f"{name}-{day}", "app_id": "game", "os_id": "ann", "event_name": name}
    return own | {"event_timestamp": f"2026-01-{day:02}T12:00:00Z"} | more


def answer(wanted: Postback, *records: dict[str, Any], limit: int = LIMIT, **more: Any) -> Job | No:
    """What the last of these records makes of the postback."""
    found = explained(wanted, *records, limit=limit, **more)
    return found.job if isinstance(found, Yes) else found


def explained(wanted: Postback, *records: dict[str, Any], limit: int = LIMIT, **more: Any) -> Yes | No:
    """The same with the attribution that counted for it."""
    compiled = index(wanted, **more)
    history = History(compiled, 1000)
    found = list(Reader(SOURCES, 100_000).read(b"\n".join(map(msgspec.json.encode, records))))
    for number, record in found:
        taken = record if isinstance(record, Rejected) else history.take(record, number, NOW)
        if isinstance(taken, Rejected | Rejection):
            assert number == len(found), taken
            return answers.refused(taken)
    assert not isinstance(taken, Rejected | Rejection)
    return answers.answer(compiled, wanted, history.last(taken), NOW, limit)


def url(wanted: Postback, *records: dict[str, Any], **more: Any) -> str:
    """The URL of the job that there must be."""
    found = answer(wanted, *records, **more)
    assert isinstance(found, Job), found
    return "".join(map(str, found.request.url))


def reason(wanted: Postback, *records: dict[str, Any], **more: Any) -> str:
    """Why there is no job."""
    found = answer(wanted, *records, **more)
    assert isinstance(found, No), found
    assert found.meaning
    return found.reason
