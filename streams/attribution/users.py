"""The fold of a user (contract §5, scope U): (user, record) → (user, fact). Pure, like the fold of a device.

A user is a user id within a project. The device stage tells of every record that carries the id, after its device has
processed it; duplicates and records that are too late have been sorted out there. They are processed in the order in
which they are told.
"""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.config import App
from schemas.user import Origin, UserRecord

from .entry import Entry
from .facts import Derived, Fact
from .firing import plan_of
from .state import Attribution, Reason, UnknownVersionError

VERSION = 1


class User(msgspec.Struct, array_like=True):
    """The state of a user. New fields go to the end, with a default.

    `clock` is the own time of the last activity, or of the first record; `newest` that of the newest record. `firsts`
    are the used firsts in the user's lifetime (`events.Row.bit`). The first record is remembered: its app, device key,
    id and own time.
    """

    clock: int
    newest: int
    app_id: str
    device_key: str
    record_id: str
    since: int
    firsts: int = 0


def user_key(app: App, user_id: str) -> str:
    """What a user is known by: the id within the app's project."""
    return f"{app.project}|{user_id}"


def tell(fact: Fact) -> UserRecord:
    """What the user stage is told of a record that its device has processed, or found to be a reinstall."""
    entry, first, period = fact.entry, fact.first, fact.period
    if first is None or period is None:
        raise ValueError(f"a fact {fact.result!r} says nothing about a user")
    of_kind: dict[str, Any] = {entry.kind: entry.record}
    return UserRecord(
        kind=entry.kind,
        id=entry.id,
        name=entry.name,
        at=entry.at,
        appended=entry.appended,
        device_key=entry.device_key,
        device_id=entry.device_id,
        clicked=entry.clicked,
        installed_at=fact.installed_at,
        first=_origin(first),
        current=None if period.number == first.number else _origin(period),
        reinstall=fact.result == "reinstall",
        **of_kind,
    )


def entry_of(told: UserRecord) -> Entry | None:
    """The entry of the record that was told of; None when the record is missing."""
    record = told.install if told.kind == "install" else told.event
    if record is None:
        return None
    return Entry(
        record, told.kind, told.id, told.name, told.at, told.appended, told.device_key, told.device_id, told.clicked
    )


def fold(user: User | None, told: UserRecord, entry: Entry, app: App) -> tuple[User, Fact]:
    """Process one record of a user (None: never seen). Changes the given user."""
    first = _attribution(told.first)
    current = first if told.current is None else _attribution(told.current)
    derived: list[Derived] = []
    plan, at = plan_of(entry.name, app.platform), entry.at
    late = False
    if user is None:
        user = User(at, at, app.id, entry.device_key, entry.id, at)
        derived.append(Derived("new_user", first))
    elif at < user.newest:
        late = True
    elif not told.reinstall:
        if plan.is_activity and at - user.clock > app.inactivity_window:
            derived.append(Derived("re_engagement_user", current))
        user.clock = at if plan.is_activity else user.clock
        user.newest = at
    for event, mask in plan.of_user:
        if not user.firsts & mask:
            user.firsts |= mask
            derived.append(Derived(event, first))
    return user, Fact(entry, "processed", late, tuple(derived), told.installed_at, first, current)


def _origin(attribution: Attribution) -> Origin:
    return Origin(attribution.number, attribution.start, attribution.reason, attribution.touch)


def _attribution(origin: Origin) -> Attribution:
    return Attribution(origin.number, origin.start, Reason(origin.reason), origin.touch)


_VERSION_BYTE = bytes((VERSION,))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(User)


def encode(user: User) -> bytes:
    """The stored form: one version byte and a msgpack array."""
    return _VERSION_BYTE + _encoder.encode(user)


def decode(stored: bytes) -> User:
    """The user of a stored form. Raises `UnknownVersionError`, and `msgspec.DecodeError` when it is damaged."""
    if stored[:1] != _VERSION_BYTE:
        raise UnknownVersionError(stored[0] if stored else None, VERSION)
    return _decoder.decode(memoryview(stored)[1:])
