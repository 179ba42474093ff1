"""A small timeline: what happens to one device, told in a few words, and what the fold makes of it.

Times are given from `START` on. A record is appended at its own time unless told otherwise, and before each one the
holds that are due by then are released, as the engine does it. Each step answers in lines such as `payment #1 acme`:
derived event, attribution number, source; or with the result of a record that was not processed.
"""

from __future__ import annotations

from typing import Any

from schemas.config import DAY, HOUR, MINUTE, SECOND, App, Partner
from schemas.record import Event, Install
from streams.attribution import fold, identity, state
from streams.attribution.entry import Entry, Kind, Rejection
from streams.attribution.facts import Derived, Fact, Step
from streams.attribution.touches import Lookbacks

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "START", "Timeline", "app", "lookbacks", "source"]

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z

DEVICE_KEYS = {
    "android": ("google_aid", "os_id", "user_id"),
    "ios": ("ios_ifv", "ios_ifa", "os_id", "user_id"),
    "windows": ("windows_aid", "os_id", "user_id"),
    "web": ("visitor_id", "user_id"),
}


def app(platform: str = "android", **settings: Any) -> App:
    """An app with the default windows."""
    given: dict[str, Any] = {"id": "com.example.game", "project": "example", "device_key": DEVICE_KEYS[platform]}
    given |= settings
    return App(platform=platform, bundle_id=given["id"], **given)  # type: ignore[arg-type]


def lookbacks(*partners: Partner) -> Lookbacks:
    """Those of a quick partner (click 1 h, impression 1 min; alias `q`), and any other."""
    quick = Partner(id="quick", name="Quick", aliases=("q",), click_lookback=HOUR, impression_lookback=MINUTE)
    return Lookbacks.of((quick, *partners))


def source(derived: Derived) -> str:
    """The publisher, with the agency if there is one."""
    touch = derived.attribution.touch
    if touch is None:
        return "assumed" if derived.attribution.assumed else "organic"
    return "/".join(name for name in (touch.publisher_name, touch.agency_name) if name)


def lines_of(fact: Fact) -> list[str]:
    """What a fact says, in lines."""
    if fact.result != "processed":
        return [fact.result]
    return [
        f"{one.event} #{one.attribution.number} {source(one)}" + (" (claim)" if one.claim else "")
        for one in fact.derived
    ]


class Timeline:
    """One device of an app, from its first record on."""

    def __init__(self, platform: str = "android", *, hold_limit: int = 1000, **settings: Any) -> None:
        self.app = app(platform, **settings)
        self.lookbacks = lookbacks()
        self.hold_limit = hold_limit
        self.device: state.Device | None = None
        self.release_at: int | None = None
        self.facts: list[Fact] = []
        #: Identifiers of each record of the device.
        self.identity: dict[str, str] = {}
        self._made = 0

    def install(self, at: int, by: str | None = None, **fields: Any) -> list[str]:
        """An install, brought by a publisher (`by="acme"`) or an agency too (`by="acme/initech"`)."""
        return self.read(self.entry("install", "install", at, by, fields))

    def event(self, name: str, at: int, by: str | None = None, **fields: Any) -> list[str]:
        """An event, with a touch if `by` is given."""
        return self.read(self.entry("event", name, at, by, fields))

    def read_past(self, appended: int) -> list[str]:
        """Every install source has been read past this append time."""
        if self.device is None or self.release_at is None or self.release_at >= START + appended:
            return []
        return self._take(fold.release(self.device, self.app, self.lookbacks))

    def assumed(self, at: int = 0) -> Timeline:
        """The device appears by an event, and no install comes."""
        self.event("appearance", at)
        self.read_past(at + self.app.install_grace + 1)
        return self

    def entry(self, kind: Kind, name: str, at: int, by: str | None, fields: dict[str, Any]) -> Entry:
        """A record of the device that is not read yet."""
        self._made += 1
        publisher, _, agency = (by or "").partition("/")
        values: dict[str, Any] = {"id": f"r{self._made}", "google_aid": "a1", "visitor_id": "v1", "ios_ifv": "i1"}
        values |= self.identity
        values |= {"publisher_name": publisher or None, "agency_name": agency or None}
        appended = fields.pop("appended", at)
        if "click" in fields:
            values["click_timestamp"] = START + fields.pop("click")
        values |= fields
        record: Install | Event
        if kind == "install":
            record = Install(app_id=self.app.id, install_timestamp=START + at, **values)
        else:
            record = Event(app_id=self.app.id, event_name=name, event_timestamp=START + at, **values)
        entry = identity.place(record, kind, START + appended, f"{kind}s-0-{self._made}", self.app)
        assert not isinstance(entry, Rejection), entry
        return entry

    def read(self, entry: Entry) -> list[str]:
        """Read a record as its time has come, after what is due by then."""
        released = self.read_past(entry.appended - START)
        return released + self._take(fold.fold(self.device, entry, self.app, self.lookbacks, self.hold_limit))

    def _take(self, step: Step) -> list[str]:
        # What is not stored is forgotten: each step goes through the stored form.
        self.device = state.decode(state.encode(step.device))
        self.release_at = step.release_at
        self.facts += step.facts
        return [line for fact in step.facts for line in lines_of(fact)]

    @property
    def last(self) -> Fact:
        return self.facts[-1]

    @property
    def known(self) -> state.Device:
        assert self.device is not None
        return self.device

    def clock(self) -> int:
        return self.known.clock - START

    def sources(self) -> list[str]:
        """The source of each attribution, in order of their numbers."""
        return [source(Derived("", one)) for one in self.known.attributions]
