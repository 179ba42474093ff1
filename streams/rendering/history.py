"""The records of a file, processed as the worker would have, one after the other.

Nobody knows when they were appended. Each is taken to have been appended at its own time, or with the one before it
if that was later: so nothing is late that the file does not say is late, and what was held has been released when the
next record comes long enough after it.
"""

from __future__ import annotations

from typing import NamedTuple

from schemas import times
from schemas.record import Event, Install
from streams.attribution import fold, forgetting, identity, users
from streams.attribution.entry import Entry, Kind, Rejection
from streams.attribution.facts import Fact
from streams.attribution.state import Device
from streams.attribution.users import User
from streams.postbacks.index import Index


class Story(NamedTuple):
    """What became of a record: at its device, and at its user if it has one and is not refused."""

    entry: Entry
    device: Fact
    user: Fact | None = None


class History:
    """Devices and users as the records so far have made them."""

    def __init__(self, index: Index, hold_limit: int) -> None:
        self._index, self._hold_limit = index, hold_limit
        self._forget = forgetting.of_projects(index.apps.values())
        self._devices: dict[str, Device] = {}
        self._users: dict[str, User] = {}
        #: Devices that hold records, and the app of each.
        self._holding: dict[str, str] = {}
        self._appended = 0
        self._last: Story | None = None

    def take(self, record: Install | Event, number: int, now: int) -> Entry | Rejection:
        """Process the next record. `now`: milliseconds, when one without a time of its own happened."""
        app = self._index.apps.get(record.app_id)
        if app is None:
            return Rejection("unknown_app", f"app_id: {record.app_id!r}")
        self._appended = max(self._appended, _own_time(record, now))
        kind: Kind = "install" if isinstance(record, Install) else "event"
        entry = identity.place(record, kind, self._appended, f"record-{number}", app)
        if isinstance(entry, Rejection):
            return entry
        self._release_before(self._appended)
        self._last = None
        step = fold.fold(self._devices.get(entry.device_key), entry, app, self._index.lookbacks, self._hold_limit)
        self._keep(entry.device_key, app.id, step)
        for fact in step.facts:
            self._told(fact, entry)
        return entry

    def last(self, entry: Entry) -> Story:
        """What became of the record that was taken last, once nothing is waited for any more."""
        if self._last is not None and self._last.device.result == "held":
            self._release(entry.device_key, entry)
        if self._last is None:
            raise LookupError("the record has left no fact")
        return self._last

    def _release_before(self, progress: int) -> None:
        for key, app_id in list(self._holding.items()):
            since, app = self._devices[key].held_since, self._index.apps[app_id]
            if since is not None and since + app.install_grace < progress:
                self._release(key, None)

    def _release(self, device_key: str, wanted: Entry | None) -> None:
        app_id = self._holding[device_key]
        step = fold.release(self._devices[device_key], self._index.apps[app_id], self._index.lookbacks)
        self._keep(device_key, app_id, step)
        for fact in step.facts:
            self._told(fact, wanted)

    def _keep(self, device_key: str, app_id: str, step: fold.Step) -> None:
        self._devices[device_key] = step.device
        if step.device.held:
            self._holding[device_key] = app_id
        else:
            self._holding.pop(device_key, None)

    def _told(self, fact: Fact, wanted: Entry | None) -> None:
        """Tell the user, and remember the fact if it is of the record that is asked for."""
        entry, user = fact.entry, None
        user_id = entry.record.user_id
        if user_id and fact.result in ("processed", "reinstall"):
            app = self._index.apps[entry.record.app_id]
            key = users.user_key(app, user_id)
            self._users[key], user = users.fold(
                self._users.get(key), users.tell(fact), entry, app, self._forget.get(app.project)
            )
        if wanted is not None and _same(entry, wanted):
            self._last = Story(entry, fact, user)


def _same(one: Entry, other: Entry) -> bool:
    return (one.device_key, one.kind, one.id, one.at) == (other.device_key, other.kind, other.id, other.at)


def _own_time(record: Install | Event, now: int) -> int:
    """The record's own time as written; what is no time is refused by the one who places it."""
    written = record.event_timestamp if isinstance(record, Event) else record.install_timestamp
    if written is None or written == "":
        return now
    try:
        return times.parse(written)
    except times.UnreadableTimeError:
        return now
