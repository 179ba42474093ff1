"""What the contract says of many devices and users, and of the postbacks that are due (§5, §6), as plainly as possible.

`reference` has the devices and the users; this only goes through them in the order in which things happen, and asks of
each derived event for each postback whether it is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.config import App, Partner, Postback
from streams.attribution.entry import Entry
from tests.support.reference import Asker, Firing, Lookback, Period, Reference, ReferenceUser, Told

#: Always of the user, whatever the postback says.
OF_USERS = ("new_user", "re_engagement_user")


@dataclass(frozen=True)
class Due:
    """A job that must come out: nothing of its text but what tells whose attribution it goes by."""

    postback: str
    event: str
    device_key: str
    id: str
    number: int
    publisher: str | None
    shadow: bool


@dataclass
class ReferenceWorld:
    """Apps, partners and postbacks. Feed it with `read`, in the order of append times.

    `of_devices` and `of_users` are the stories by device key and by (project, user id); `jobs` all that is due.
    """

    apps: dict[str, App]
    partners: dict[str, Partner]
    postbacks: tuple[Postback, ...]
    hold_limit: int = 1000

    devices: dict[str, Reference] = field(default_factory=dict)
    users: dict[tuple[str, str], ReferenceUser] = field(default_factory=dict)
    told: list[tuple[str, str, Told]] = field(default_factory=list)  # scope, device key
    jobs: list[Due] = field(default_factory=list)

    def read(self, entry: Entry) -> None:
        self.progress(entry.appended)
        if entry.device_key not in self.devices:
            self.devices[entry.device_key] = Reference(
                self.apps[entry.record.app_id],
                self.lookbacks(),
                self.hold_limit,
                tuple({self.asker(postback) for postback in self.postbacks if postback.event == "session"}),
                self.listen,
            )
        self.devices[entry.device_key].read(entry)

    def progress(self, appended: int) -> None:
        """All installs have been read up to this append time: who has waited longest goes first."""
        waiting = []
        for key, device in self.devices.items():
            if device.held:
                due = min(entry.appended for entry in device.held) + device.app.install_grace
                waiting.append((due, key))
        for due, key in sorted(waiting):
            if due < appended:
                self.devices[key].progress(appended)

    def lookbacks(self) -> dict[str, Lookback]:
        return {
            name: (partner.click_lookback, partner.impression_lookback)
            for partner in self.partners.values()
            for name in (partner.id, *partner.aliases)
        }

    def asker(self, postback: Postback) -> Asker:
        partner = self.partners[postback.partner]
        return Asker(frozenset({partner.id, *partner.aliases}), postback.delivery_method == "network_and_agency")

    def listen(self, entry: Entry, told: Told, first: Period | None, current: Period | None) -> None:
        app = self.apps[entry.record.app_id]
        self.told.append(("device", entry.device_key, told))
        self.jobs += self.due("device", entry, told)
        if told.result not in ("processed", "reinstall") or not entry.record.user_id:
            return
        assert first is not None
        assert current is not None
        known = ReferenceUser(forget_after=self.forget_users_after(app.project))
        user = self.users.setdefault((app.project, entry.record.user_id), known)
        of_user = user.read(entry, app, told.result == "reinstall", first, current)
        self.told.append(("user", entry.device_key, of_user))
        self.jobs += self.due("user", entry, of_user)

    def forget_users_after(self, project: str) -> int | None:
        found = [app.forget_after for app in self.apps.values() if app.project == project]
        return None if None in found else max(after for after in found if after is not None)

    # Postbacks

    def due(self, scope: str, entry: Entry, told: Told) -> Iterator[Due]:
        app = self.apps[entry.record.app_id]
        for postback in self.postbacks:
            if postback.app != app.id or self.scope(postback) != scope or self.is_refused(postback, app, entry):
                continue
            for firing in self.firings(postback, told):
                if self.is_wanted(postback, firing):
                    publisher = firing.source[0] if firing.source else None
                    shadow = postback.status == "shadow"
                    yield Due(postback.id, firing.event, entry.device_key, entry.id, firing.number, publisher, shadow)

    def scope(self, postback: Postback) -> str:
        fires_on = postback.match_event or postback.event
        return "user" if fires_on in OF_USERS else postback.scope

    def is_refused(self, postback: Postback, app: App, entry: Entry) -> bool:
        if postback.status == "paused":
            return True
        if app.live_from is not None and entry.at < app.live_from:
            return True
        return self.partners[postback.partner].consent == "required" and entry.record.consent is not True

    def firings(self, postback: Postback, told: Told) -> Iterator[Firing]:
        fires_on = postback.match_event or postback.event
        if fires_on == "session" and postback.delivery_method != "all":
            asker = self.asker(postback)
            found = [firing for theirs, firing in told.sessions if theirs == asker]
            yield from found[:1]
            return
        for firing in told.derived:
            if firing.event == fires_on:
                yield firing

    def is_wanted(self, postback: Postback, firing: Firing) -> bool:
        if postback.campaign is not None and (firing.source is None or firing.source[2] != postback.campaign):
            return False
        if postback.delivery_method == "all":
            return not firing.claim
        return self.asker(postback).owns(firing.source)
