"""Random worlds: apps of several platforms and projects, devices that users share, users that share devices, postbacks
of every kind; and a history of all of it, as the merged input topics hold it.

Each record is known twice: as JSON, for the pipeline, and as an entry made here, for the reference.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from schemas.config import DAY, HOUR, MINUTE, SECOND, App, Configuration, Endpoint, Partner, Postback, Source
from schemas.record import Event, Install
from streams.attribution.entry import Entry, Kind
from streams.engine.raw import Raw
from tests.unit.attribution.timeline import DEVICE_KEYS, START

SOURCES: dict[str, Source] = {
    "install": Source(topic="installs", record="install"),
    "event": Source(topic="events", record="event"),
}
#: All records are appended long after their own times, as from a backlog.
APPENDED = START + 10_000 * DAY
URL = "https://x.example/?n={attribution_number}&p={publisher_name}"

PARTNERS = (
    Partner(id="acme", name="Acme", aliases=("Acme Ads",)),
    Partner(id="globex", name="Globex", aliases=("quick",), click_lookback=HOUR, impression_lookback=MINUTE),
    Partner(id="initech", name="Initech"),
    Partner(id="careful", name="Careful", consent="required"),
)
TOUCHES = (
    None, None, None, "acme", "acme", "Acme Ads", "globex", "globex/initech", "quick/acme", "/initech", "careful",
)  # fmt: skip
CLICKS = (None, None, None, 0, HOUR, HOUR + 1, 7 * DAY, 7 * DAY + 1, -5 * MINUTE, -5 * MINUTE - 1)
NAMES = (
    *("launch",) * 6, *("payment",) * 3, "visit", "visit", "registration", "authorization", "custom_payment",
    "coins", "gems", "uninstall", "impression",
)  # fmt: skip
ALIASES = {
    "launch": "session_begin",
    "payment": "purchase",
    "registration": "mt_registration",
    "authorization": "login",
}
FORMS = ("{}", "{}_ca", "first_{}", "first_{}_ca")
BOTH = (
    *("re_engagement", "new_user", "re_engagement_user"),
    *(form.format(name) for name in ("custom_payment", "registration", "authorization") for form in FORMS),
)
MOBILE = (
    *("install", "re_install", "app_open", "session"),
    *(form.format("payment") for form in FORMS),
    *(f"{form.format('event')}:coins" for form in FORMS),
)
STEPS = (0, 0, 1, MINUTE, 20 * MINUTE, HOUR, HOUR, 3 * HOUR, 9 * HOUR)
BEHIND = (0, 0, 0, 0, 0, 1, MINUTE, HOUR, 3 * HOUR, 4 * HOUR, 4 * HOUR + 1, 30 * HOUR)
WAITS = (0, 0, 1, 10 * SECOND, MINUTE, MINUTE + 1, HOUR)


@dataclass
class World:
    """`history` is in merged order: each record as the reference and as the pipeline know it."""

    configuration: Configuration
    hold_limit: int
    history: list[tuple[Entry, Raw]]


@dataclass
class Maker:
    """Makes one world from one seed."""

    dice: random.Random
    made: dict[tuple[str, str], int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, int] = field(default_factory=dict)
    #: What the apps choose their `forget_after` from.
    forgets: tuple[int | None, ...] = ()

    def world(self, length: int) -> World:
        dice = self.dice
        apps = tuple(self.app(number) for number in range(dice.choice((1, 3, 3, 4))))
        postbacks = tuple(postback for app in apps for postback in self.postbacks(app))
        configuration = Configuration(
            generation=1, sources=tuple(SOURCES.values()), apps=apps, partners=PARTNERS, postbacks=postbacks
        )
        entries = self.entries(apps, length)
        entries.sort(key=lambda pair: (pair[0].appended, pair[0].kind == "event"))
        history = [
            (
                entry,
                Raw(SOURCES[entry.kind].topic, 0, number, entry.appended, b"k", value, SOURCES[entry.kind]),
            )
            for number, (entry, value) in enumerate(entries)
        ]
        return World(configuration, dice.choice((2, 5, 1000)), history)

    def app(self, number: int) -> App:
        dice = self.dice
        platform = dice.choice(("android", "android", "ios", "web"))
        return App(
            id=f"app{number}",
            project=dice.choice(("one", "one", "two")),
            platform=platform,  # type: ignore[arg-type]
            bundle_id=f"app{number}",
            device_key=DEVICE_KEYS[platform],
            inactivity_window=dice.choice((10 * HOUR, 40 * HOUR, 30 * DAY)),
            dedup_window=dice.choice((4 * HOUR, 40 * HOUR)),
            claim_window=dice.choice((3 * HOUR, 12 * HOUR)),
            install_grace=dice.choice((0, MINUTE, MINUTE, 3 * HOUR, 3 * DAY)),
            forget_after=dice.choice(self.forgets) if self.forgets else None,
            reattribute_to_organic=dice.random() < 0.7,
            live_from=START + 2 * DAY if dice.random() < 0.2 else None,
        )

    def postbacks(self, app: App) -> list[Postback]:
        dice = self.dice
        usable = BOTH if app.platform == "web" else BOTH + MOBILE
        wanted = [*dice.sample(usable, 8), "new_user", "re_engagement_user"]
        if app.platform != "web":
            wanted += ["session", "session", "session", "first_payment"]
        return [self.postback(app, f"{app.id}-{number}-{event}", event, usable) for number, event in enumerate(wanted)]

    def postback(self, app: App, name: str, event: str, usable: tuple[str, ...]) -> Postback:
        dice = self.dice
        may_be_of_user = event in ("first_payment", "first_custom_payment")
        matched = dice.random() < 0.1 and event != "session" and not may_be_of_user
        return Postback(
            id=name,
            title="",
            app=app.id,
            partner=dice.choice(PARTNERS).id,
            event=event,
            endpoint=Endpoint(url=URL),
            match_event=dice.choice([one for one in usable if one != "session"]) if matched else None,
            status=dice.choice(("active", "active", "active", "shadow", "paused")),
            delivery_method=dice.choice(("all", "network", "network_and_agency", "network_and_agency")),
            campaign=dice.choice(("spring", "autumn")) if dice.random() < 0.15 else None,
            scope="user" if may_be_of_user and dice.random() < 0.5 else "device",
        )

    def entries(self, apps: tuple[App, ...], length: int) -> list[tuple[Entry, bytes]]:
        dice = self.dice
        made: list[tuple[Entry, bytes]] = []
        kind: Kind
        own, appended = START, APPENDED
        installs = dice.choice((0.03, 0.1, 0.3))
        while len(made) < length:
            appended += dice.choice(WAITS)
            if made and dice.random() < 0.06:
                entry, value = dice.choice(made[-60:])
                made.append((_again(entry, appended), value))
                continue
            before = made[-1][0] if made else None
            if before is not None and before.kind == "install" and dice.random() < 0.3:
                # A tracker's word about the same install.
                app = next(app for app in apps if app.id == before.record.app_id)
                kind, device_id = "install", before.device_id
                fields: dict[str, Any] = {"user_id" if device_id[0] == "U" else app.device_key[0]: device_id}
                at = before.at + dice.choice((0, MINUTE, app.claim_window, app.claim_window + 1, -HOUR))
            else:
                own += dice.choice(STEPS)
                app = dice.choice(apps)
                kind = "install" if dice.random() < installs else "event"
                fields, device_id = self.who(app)
                at = own - dice.choice(BEHIND)
            key = f"{app.id}|{device_id}"
            if key in self.newest and dice.random() < 0.12:
                at = self.edge(app, key)
            own = max(own, at)
            self.newest[key] = max(self.newest.get(key, at), at)
            self.oldest.setdefault(key, at)
            made.append(self.record(app, kind, at, appended, fields, device_id))
        return made

    def edge(self, app: App, key: str) -> int:
        """A time where something changes for the device, give or take a millisecond."""
        dice, newest, oldest = self.dice, self.newest[key], self.oldest[key]
        window = min(app.inactivity_window, 40 * HOUR)
        days = (newest - oldest) // DAY + dice.choice((0, 1))
        at = dice.choice((newest + window, newest - app.dedup_window, oldest + days * DAY, newest + app.claim_window))
        return at + dice.choice((-1, 0, 0, 1))

    def who(self, app: App) -> tuple[dict[str, Any], str]:
        """The identifiers of a record, and which of them leads to its device."""
        dice = self.dice
        number = min(dice.randrange(4), dice.randrange(4))
        user = number if dice.random() < 0.7 else dice.randrange(4)
        fields: dict[str, Any] = {}
        if dice.random() < 0.6:
            fields["user_id"] = f"U{user}"
        if "user_id" in fields and dice.random() < 0.08:
            if app.platform == "android":
                fields["google_aid"] = "00000000-0000-0000-0000-000000000000"
            return fields, fields["user_id"]
        name = f"Dev-{number}"
        fields[app.device_key[0]] = name
        return fields, name if app.platform == "web" else name.lower()

    def record(
        self, app: App, kind: Kind, at: int, appended: int, fields: dict[str, Any], device_id: str
    ) -> tuple[Entry, bytes]:
        dice = self.dice
        # Numbered on each device: ids are unique there and nowhere else, and installs and events share them.
        count = self.made[kind, device_id + app.id] = self.made.get((kind, device_id + app.id), 0) + 1
        publisher, _, agency = (dice.choice(TOUCHES) or "").partition("/")
        click = dice.choice(CLICKS)
        fields |= {"id": f"r{count}", "app_id": app.id, "consent": dice.choice((None, True, False))}
        fields |= {"publisher_name": publisher or None, "agency_name": agency or None}
        fields |= {"campaign_id": dice.choice((None, "spring", "autumn"))}
        fields |= {"touch_type": dice.choice((None, None, "click", "impression"))}
        fields |= {"click_timestamp": None if click is None else at - click}
        name = "install" if kind == "install" else dice.choice(NAMES)
        if kind == "install":
            fields["install_timestamp"] = at
        else:
            written = ALIASES.get(name, name) if dice.random() < 0.2 else name
            fields |= {"event_name": written, "event_timestamp": at}
        fields = {field: value for field, value in fields.items() if value is not None}
        normalised = {**fields, app.device_key[0]: device_id} if app.device_key[0] in fields else fields
        if "google_aid" in normalised and normalised["google_aid"] == normalised.get("user_id"):
            normalised = {field: value for field, value in normalised.items() if field != "google_aid"}
        record = Install(**normalised) if kind == "install" else Event(**normalised)
        clicked = fields.get("click_timestamp")
        key = f"{app.id}|{device_id}"
        entry = Entry(record, kind, fields["id"], name, at, appended, key, device_id, clicked)
        return entry, json.dumps(fields).encode()


def _again(entry: Entry, appended: int) -> Entry:
    """The same record, appended a second time."""
    return Entry(
        entry.record, entry.kind, entry.id, entry.name, entry.at, appended, entry.device_key, entry.device_id,
        entry.clicked,
    )  # fmt: skip
