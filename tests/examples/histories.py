"""The examples of `docs/attribution.md`: what happens to one or two devices, as data. What comes of it is computed.

In each of them two partners, Acme and Globex, have a postback at `network` on every event that the example is about,
and a warehouse has one at `all` on some.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.config import DAY, HOUR, MINUTE, SECOND, App, Configuration, Endpoint, Partner, Postback
from streams.attribution import events
from streams.config.models import DEVICE_KEYS

#: 2026-01-01T00:00:00Z; the times of an example are given from here on.
START = 1_767_225_600_000

PARTNERS = {"acme": "Acme", "globex": "Globex"}
LAKE = "lake"


class Record(NamedTuple):
    """An install, or an event of a name. `by`: the partner that it names; `click`: when its click was, if not at once;
    `read`: when it is appended, if later than it happened.
    """

    name: str
    at: int
    by: str | None = None
    read: int | None = None
    click: int | None = None
    device: str = "ann"
    user: str | None = None
    app: str = "game"


class Example(NamedTuple):
    """A history, and the events that it is about. `at_all`: those that the data lake wants too. `settings` are keys of
    the app. A web site is the app `site`.
    """

    name: str
    about: tuple[str, ...]
    records: tuple[Record, ...]
    at_all: tuple[str, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    of_user: tuple[str, ...] = ()

    def configuration(self) -> Configuration:
        """The configuration that the history runs under."""
        apps = [
            _app(app, "web" if app == "site" else "android", dict(self.settings))
            for app in dict.fromkeys(record.app for record in self.records)
        ]
        asked = [(partner, event, "network", "device") for partner in PARTNERS for event in self.about]
        asked += [(LAKE, event, "all", "device") for event in self.at_all]
        asked += [(partner, event, "network", "user") for partner in PARTNERS for event in self.of_user]
        return Configuration(
            generation=1,
            sources=(),
            apps=tuple(apps),
            partners=tuple(Partner(id=name, name=name.title()) for name in (*PARTNERS, LAKE)),
            postbacks=tuple(
                _postback(app, *one) for app in apps for one in asked if app.platform in _platforms(one[1])
            ),
        )

    def written(self) -> list[dict[str, Any]]:
        """Its records as somebody writes them, in the order in which they are appended."""
        return [_written(record, number) for number, record in enumerate(self.records, start=1)]


def appended(record: Record) -> int:
    """When a record is appended: milliseconds."""
    return START + (record.at if record.read is None else record.read)


def _app(app: str, platform: str, settings: dict[str, Any]) -> App:
    return App(
        id=app,
        project="example",
        platform=platform,  # type: ignore[arg-type]
        bundle_id=app,
        device_key=DEVICE_KEYS[platform],
        **settings,
    )


def _platforms(event: str) -> frozenset[str]:
    row = events.parse(event)
    assert row is not None, event
    return row.platforms


def _postback(app: App, partner: str, event: str, method: str, scope: str) -> Postback:
    return Postback(
        id=f"{partner}-{app.id}-{event}-{scope}",
        title=event,
        app=app.id,
        partner=partner,
        event=event,
        delivery_method=method,  # type: ignore[arg-type]
        scope=scope,  # type: ignore[arg-type]
        endpoint=Endpoint(url="https://postback.example.com/?n={attribution_number}"),
    )


def _written(record: Record, number: int) -> dict[str, Any]:
    written: dict[str, Any] = {"id": f"r-{number}", "app_id": record.app}
    written["visitor_id" if record.app == "site" else "os_id"] = record.device
    if record.name == "install":
        written["install_timestamp"] = START + record.at
    else:
        written |= {"event_name": record.name, "event_timestamp": START + record.at}
    if record.by:
        written["publisher_name"] = record.by
    if record.click is not None:
        written["click_timestamp"] = START + record.click
    if record.user:
        written["user_id"] = record.user
    return written


PAYMENTS = ("payment", "payment_ca", "first_payment", "first_payment_ca")

EXAMPLES = (
    Example(
        "first-and-current",
        ("install", "re_engagement", *PAYMENTS),
        (
            Record("install", 0, by="acme"),
            Record("payment", 1 * DAY),
            Record("payment", 2 * DAY),
            Record("launch", 40 * DAY, by="globex"),
            Record("payment", 41 * DAY),
        ),
    ),
    Example(
        "re-install",
        ("install", "re_install", "payment_ca"),
        (
            Record("install", 0, by="acme"),
            Record("launch", 5 * DAY),
            Record("install", 20 * DAY, by="globex"),
            Record("payment", 21 * DAY),
            Record("install", 60 * DAY, by="globex"),
            Record("payment", 61 * DAY),
        ),
    ),
    Example(
        "back-by-itself",
        ("install", "re_engagement", "payment", "payment_ca"),
        (
            Record("install", 0, by="acme"),
            Record("launch", 30 * DAY),
            Record("launch", 70 * DAY),
            Record("payment", 71 * DAY),
        ),
    ),
    Example(
        "back-by-itself-kept",
        ("install", "re_engagement", "payment", "payment_ca"),
        (
            Record("install", 0, by="acme"),
            Record("launch", 30 * DAY),
            Record("launch", 70 * DAY),
            Record("payment", 71 * DAY),
        ),
        settings=(("reattribute_to_organic", False),),
    ),
    Example(
        "lookback",
        ("install", "re_engagement", "payment_ca"),
        (
            Record("install", 9 * DAY, by="acme", click=1 * DAY),
            Record("launch", 60 * DAY, by="globex", click=54 * DAY),
            Record("payment", 61 * DAY),
        ),
        at_all=("install",),
    ),
    Example(
        "hold",
        ("install", *PAYMENTS),
        (
            Record("payment", 10 * HOUR + 30 * SECOND, read=10 * HOUR + 31 * SECOND),
            Record("install", 10 * HOUR, by="acme", read=10 * HOUR + 50 * SECOND),
            Record("payment", 10 * HOUR + 5 * MINUTE),
        ),
    ),
    Example(
        "assumed",
        ("install", "payment", "first_payment", "first_payment_ca"),
        (
            Record("payment", 10 * HOUR),
            Record("launch", 10 * HOUR + 5 * MINUTE),
            Record("install", 9 * HOUR + 59 * MINUTE, by="acme", read=10 * HOUR + 20 * MINUTE),
            Record("payment", 11 * HOUR),
        ),
        at_all=("install", "payment"),
    ),
    Example(
        "claim",
        ("install", "payment", "payment_ca", "first_payment"),
        (
            Record("install", 10 * HOUR),
            Record("payment", 11 * HOUR),
            Record("install", 10 * HOUR + 1 * MINUTE, by="acme", read=12 * HOUR),
            Record("payment", 13 * HOUR),
            Record("install", 14 * HOUR, by="globex"),
        ),
        at_all=("install",),
    ),
    Example(
        "late",
        ("re_engagement", *PAYMENTS),
        (
            Record("install", 0, by="acme"),
            Record("launch", 40 * DAY, by="globex"),
            Record("payment", 39 * DAY, read=40 * DAY + 2 * HOUR),
            Record("payment", 41 * DAY),
            Record("payment", 37 * DAY, read=41 * DAY + 1 * HOUR),
        ),
    ),
    Example(
        "sessions",
        ("re_engagement", "session"),
        (
            Record("install", 0, by="acme"),
            Record("launch", 20 * HOUR),
            Record("launch", 26 * HOUR),
            Record("launch", 44 * HOUR),
            Record("launch", 49 * HOUR),
            Record("launch", 40 * DAY + 6 * HOUR, by="globex"),
            Record("launch", 41 * DAY + 1 * HOUR),
            Record("launch", 41 * DAY + 7 * HOUR),
        ),
        at_all=("session",),
    ),
    Example(
        "web",
        ("registration", "registration_ca", "re_engagement"),
        (
            Record("visit", 0, by="acme", app="site"),
            Record("visit", 3 * DAY, by="globex", app="site"),
            Record("registration", 4 * DAY, app="site"),
            Record("visit", 5 * DAY, app="site"),
            Record("registration", 6 * DAY, app="site"),
            Record("visit", 50 * DAY, app="site"),
        ),
    ),
    Example(
        "users",
        ("install", "new_user", "re_engagement_user", "first_payment"),
        (
            Record("install", 0, by="acme"),
            Record("registration", 1 * DAY, user="u-1"),
            Record("payment", 2 * DAY, user="u-1"),
            Record("install", 10 * DAY, by="globex", device="tablet", user="u-1"),
            Record("payment", 11 * DAY, device="tablet", user="u-1"),
            Record("launch", 60 * DAY, device="tablet", by="acme", user="u-1"),
        ),
        of_user=("first_payment",),
    ),
)
