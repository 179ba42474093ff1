"""Configurations and facts for these tests, with only what a test is about written out."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.config import App, Configuration, Endpoint, Partner, Postback
from schemas.job import Job
from schemas.record import Event
from schemas.touch import Touch
from streams.attribution.entry import Entry
from streams.attribution.fold import Derived, Fact, Lookbacks
from streams.attribution.state import Attribution, Reason
from streams.attribution.touches import eligible_touch
from streams.postbacks.decide import Decided, Level, decide
from streams.postbacks.index import Index

APP = App(
    id="com.example.game",
    project="example",
    platform="android",
    bundle_id="com.example.bundle",
    device_key=("google_aid", "os_id", "user_id"),
)
ACME = Partner(id="acme_ads", name="Acme", aliases=("acme", "Acme Ads"))
INITECH = Partner(id="initech", name="Initech")
AT = 1_767_323_045_000
NOW = AT + 5_000
URL = "https://postback.example.com/i?n={attribution_number}&c={click_id}"


def postback(**more: Any) -> Postback:
    """A postback of Acme on `payment` at `network`, but for what is given."""
    endpoint = more.pop("endpoint", None) or Endpoint(url=more.pop("url", URL))
    given: dict[str, Any] = {
        "id": "p",
        "title": "",
        "app": APP.id,
        "partner": ACME.id,
        "event": "payment",
        "endpoint": endpoint,
    }
    return Postback(**(given | more))


def configuration(
    *postbacks: Postback, app: App = APP, partners: tuple[Partner, ...] = (ACME, INITECH)
) -> Configuration:
    """Generation 7 with these postbacks."""
    return Configuration(generation=7, sources=(), apps=(app,), partners=partners, postbacks=postbacks)


def decided(index: Index, what: Fact, level: Level = "off", job_bytes: int = 1_000_000) -> Decided:
    """What is decided now."""
    return decide(index, what, NOW, level, job_bytes)


def jobs_of(index: Index, what: Fact) -> list[Job]:
    """The jobs that are decided now."""
    return [ready.job for ready in decided(index, what).jobs]


def touch(**fields: Any) -> Touch:
    """A touch of Acme, but for what is given."""
    record = Event(**({"app_id": APP.id, "event_name": "payment", "publisher_name": "acme_ads"} | fields))
    found = eligible_touch(entry(record), Lookbacks())
    assert found is not None
    return found


def entry(record: Event | None = None, **fields: Any) -> Entry:
    """A payment in its place."""
    given: dict[str, Any] = {"app_id": APP.id, "event_name": "payment", "google_aid": "aid-1"}
    record = record or Event(**(given | fields))
    return Entry(record, "event", "e-1", record.event_name, AT, AT, f"{APP.id}|aid-1", "aid-1")


def fact(
    by: Touch | None = None,
    *,
    event: str = "payment",
    number: int = 1,
    claim: bool = False,
    at: int = AT,
    **fields: Any,
) -> Fact:
    """A processed payment that fired one derived event, under an attribution with this touch (None: organic)."""
    derived = Derived(event, Attribution(number, AT - 1_000, Reason.INSTALL, by), claim)
    placed = msgspec.structs.replace(entry(**fields), at=at)
    return Fact(placed, "processed", derived=(derived,), installed_at=AT - 2_000)
