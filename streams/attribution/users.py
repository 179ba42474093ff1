"""The fold of a user (contract §5, scope U): (user, record) → (user, fact). Pure, like the fold of a device.

A user is a user id within a project. The device stage tells of every record that carries the id, after its device has
processed it; duplicates and records that are too late have been sorted out there. They are processed in the order in
which they are told.
"""

from __future__ import annotations

import msgspec

from schemas.config import SECOND, App
from schemas.record import Event, Install
from schemas.user import Origin, UserRecord

from .entry import Entry
from .facts import Derived, Fact
from .firing import plan_of
from .forgetting import is_forgotten
from .state import Attribution, Reason, UnknownVersionError

VERSION = 1

_to_json = msgspec.json.Encoder().encode
_records: dict[str, msgspec.json.Decoder[Install] | msgspec.json.Decoder[Event]] = {
    "install": msgspec.json.Decoder(Install),
    "event": msgspec.json.Decoder(Event),
}


class User(msgspec.Struct, array_like=True, gc=False):
    """The state of a user. New fields go to the end, with a default.

    `clock` is the own time of the last activity, or of the first record; `newest` that of the newest record. `firsts`
    are the used firsts in the user's lifetime (`events.Row.bit`). The first record is remembered: its app, device key,
    id and own time. `appended_s` as that of a device: for `forgetting`.
    """

    clock: int
    newest: int
    app_id: str
    device_key: str
    record_id: str
    since: int
    firsts: int = 0
    appended_s: int = 0


def user_key(app: App, user_id: str) -> str:
    """What a user is known by: the id within the app's project."""
    return f"{app.project}|{user_id}"


def tell(fact: Fact, worker: str = "") -> UserRecord:
    """What a worker's user stage is told of a record that its device has processed, or found to be a reinstall."""
    entry, first, period = fact.entry, fact.first, fact.period
    if first is None or period is None:
        raise ValueError(f"a fact {fact.result!r} says nothing about a user")
    record = entry.record
    # By position, in the order of the fields: by name it takes three times as long, and this is done for every record.
    return UserRecord(
        record.app_id,
        record.user_id or "",
        entry.kind,
        entry.id,
        entry.name,
        entry.at,
        entry.appended,
        entry.device_key,
        entry.device_id,
        _origin(first),
        msgspec.Raw(_to_json(record)),
        None if period.number == first.number else _origin(period),
        entry.clicked,
        fact.installed_at,
        fact.result == "reinstall",
        worker,
    )


def entry_of(told: UserRecord) -> Entry:
    """The entry of the record that was told of. Raises `msgspec.DecodeError` when it is not one of its kind."""
    record = _records[told.kind].decode(told.record)
    return Entry(
        record, told.kind, told.id, told.name, told.at, told.appended, told.device_key, told.device_id, told.clicked
    )


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What a record is to its user: `derived` are the derived events that fire, each with whether it goes by the
    current attribution of the device. `appears`: it is the user's first.
    """

    late: bool
    derived: tuple[tuple[str, bool], ...]
    appears: bool = False


def judge(user: User | None, told: UserRecord, app: App, forget_after: int | None = None) -> tuple[User, Judged]:
    """Process one record of a user (None: never seen), without looking into it. Changes the given user.

    `forget_after`: of the project (`forgetting.of_projects`).
    """
    if user is not None and is_forgotten(user.appended_s, told.appended, forget_after):
        user = None
    derived: list[tuple[str, bool]] = []
    plan, at = plan_of(told.name, app.platform), told.at
    late, appears = False, user is None
    if user is None:
        user = User(at, at, app.id, told.device_key, told.id, at)
        derived.append(("new_user", False))
    elif at < user.newest:
        late = True
    elif not told.reinstall:
        if plan.is_activity and at - user.clock > app.inactivity_window:
            derived.append(("re_engagement_user", True))
        user.clock = at if plan.is_activity else user.clock
        user.newest = at
    if told.appended > user.appended_s * SECOND:
        user.appended_s = -(-told.appended // SECOND)
    for event, mask in plan.of_user:
        if not user.firsts & mask:
            user.firsts |= mask
            derived.append((event, False))
    return user, Judged(late, tuple(derived), appears)


def fact_of(told: UserRecord, entry: Entry, judged: Judged) -> Fact:
    """What became of a record that has been judged."""
    first = _attribution(told.first)
    current = first if told.current is None else _attribution(told.current)
    derived = tuple([Derived(event, current if by_current else first) for event, by_current in judged.derived])
    installed_at, appears = told.installed_at, judged.appears
    return Fact(entry, "processed", judged.late, derived, installed_at, first, current, appears=appears)


def fold(
    user: User | None, told: UserRecord, entry: Entry, app: App, forget_after: int | None = None
) -> tuple[User, Fact]:
    """Judge one record, of this entry, and tell what became of it. Changes the given user."""
    user, judged = judge(user, told, app, forget_after)
    return user, fact_of(told, entry, judged)


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
    return _decoder.decode(stored[1:])
