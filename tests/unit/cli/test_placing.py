"""Contract §3: the device key, as `ringback feed` finds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.config import App, Configuration, Source
from streams.cli.placing import Placer
from streams.sources.decode import Rejected

NOW = 1_767_355_445_000
EVENTS = Source(topic="events", record="event")


def configured(*device_key: str) -> Configuration:
    app = App(id="game", project="p", platform="android", bundle_id="game", device_key=device_key)
    return Configuration(generation=1, sources=(EVENTS,), apps=(app,), partners=(), postbacks=())


def key(configuration: Configuration | None = None, **fields: Any) -> Any:
    value = json.dumps({"app_id": "game", "event_name": "x"} | fields).encode()
    return Placer(EVENTS, configuration, 10_000).key(value, NOW)


def test_the_order_is_the_apps() -> None:
    assert key(configured("user_id", "google_aid"), google_aid="A-1", user_id="u") == "game|u"
    assert key(configured("google_aid", "user_id"), google_aid="A-1", user_id="u") == "game|a-1"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("android", "g"), ("ios", "v"), ("windows", "w"), ("web", "c"), ("toaster", "i"), (None, "i")],
)
def test_before_the_first_apply_the_order_is_the_platforms(platform: str | None, expected: str) -> None:
    identifiers = {
        "ios_ifa": "i",
        "ios_ifv": "v",
        "google_aid": "g",
        "windows_aid": "w",
        "visitor_id": "c",
        "user_id": "u",
    }
    assert key(platform=platform, **identifiers) == f"game|{expected}"


def test_what_the_worker_would_refuse_has_no_key() -> None:
    assert key().reason == "no_identifier"
    assert key(user_id=7).reason == "invalid"
    assert key(user_id="u", event_timestamp="1999-01-01T00:00:00Z").reason == "time"
    assert key(user_id="u", event_timestamp="soon").reason == "invalid"


def test_an_app_that_is_not_configured_is_told() -> None:
    found = key(configured("user_id"), app_id="other", user_id="u")
    assert found == Rejected("unknown_app", "app_id: 'other' is not in the live configuration")
