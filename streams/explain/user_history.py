"""A user's records once more through the user stage's fold, as far as the users topic reaches back. Pure.

What it does not hold any more is told from what was recorded of the record, and from what its device did before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from schemas.config import App
from schemas.user import UserRecord
from streams.attribution import forgetting, users
from streams.attribution.entry import Entry
from streams.attribution.events import ACTIVITIES, parse
from streams.attribution.facts import Derived, Fact
from streams.attribution.firing import plan_of
from streams.attribution.state import Attribution
from streams.attribution.users import User

from .found import Material, Reading, UserSeen


class Earlier(NamedTuple):
    """A record of the user that came before. `at`: own time in milliseconds."""

    id: str
    device_key: str
    at: int
    name: str


class UserHistory(NamedTuple):
    """What the record was to its user. `is_whole`: all that came before it is known, and `before` is the user by then
    (None: not seen before). If not, `last` and `firsts` are what is known of it. `last` is the record that the user's
    clock went by, `firsts` the records that used a first, by derived event. `is_recorded`: it was written down which
    derived events of the user it gave.
    """

    fact: Fact
    is_whole: bool
    before: User | None
    last: Earlier | None
    firsts: Mapping[str, Earlier]
    is_recorded: bool = False

    def knows(self, event: str, reason: str, window: int) -> bool:
        """Whether it can be told that this event did not fire, and for this reason."""
        if self.is_whole or self.is_recorded or event == "new_user" or reason == "late":
            return True
        if event == "re_engagement_user":
            return self.last is not None and self.fact.entry.at - self.last.at <= window
        return event in self.firsts


def is_first(user: User, told: UserRecord | Entry) -> bool:
    """Whether the user was first seen with this record."""
    return (user.record_id, user.device_key, user.since) == (told.id, told.device_key, told.at)


class Recorded(NamedTuple):
    """The derived events of the user that were recorded for a record. `is_whole`: by a decision, which names all of
    them; jobs prove only their own.
    """

    fired: frozenset[str]
    is_whole: bool


def user_history(seen: UserSeen, reading: Reading, material: Material, recorded: Recorded) -> UserHistory:
    """What a record that its device has processed was to its user."""
    fact = reading.processed
    assert fact is not None
    apps = {app.id: app for app in material.configuration.apps}
    if found := _folded(seen, fact, apps):
        return found
    app = apps[fact.entry.record.app_id]
    if seen.state is not None and is_first(seen.state, fact.entry):
        _, of_first = users.fold(None, users.tell(fact), fact.entry, app)
        return UserHistory(of_first, True, None, None, {})
    return _in_part(seen, fact, app, list(_earlier(seen, reading, material)), recorded)


def _folded(seen: UserSeen, fact: Fact, apps: Mapping[str, App]) -> UserHistory | None:
    """Exact, as long as the users topic holds all that was told of the user."""
    user: User | None = None
    last: Earlier | None = None
    firsts: dict[str, Earlier] = {}
    after = forgetting.of_projects(apps.values())
    for told in seen.told:
        app = apps.get(told.app_id)
        if app is None:
            continue  # the user stage ignores it, too
        if user is None and (seen.state is None or not is_first(seen.state, told)):
            return None
        before = None if user is None else msgspec.structs.replace(user)
        user, judged = users.judge(user, told, app, after.get(app.project))
        if _is_of(told, fact.entry):
            return UserHistory(users.fact_of(told, fact.entry, judged), True, before, last, firsts)
        for event, _ in judged.derived:
            firsts.setdefault(event, _short(told))
        if before is None or user.clock != before.clock:
            last = _short(told)
    return None


def _in_part(seen: UserSeen, fact: Fact, app: App, earlier: list[Earlier], recorded: Recorded) -> UserHistory:
    entry = fact.entry
    goes_by = {event: _goes_by(event, fact) for event in sorted(recorded.fired)}
    derived = [Derived(event, attribution) for event, attribution in goes_by.items() if attribution is not None]
    firsts: dict[str, Earlier] = {}
    for one in earlier:
        for event, _ in plan_of(one.name, app.platform).of_user:
            firsts.setdefault(event, one)
    before = [one for one in earlier if one.name in ACTIVITIES and one.at <= entry.at]
    last = max(before, key=lambda one: one.at, default=None)
    late = any(one.at > entry.at for one in earlier)
    of_user = msgspec.structs.replace(
        fact, result="processed", late=late, derived=tuple(derived), sessions=(), appears="new_user" in goes_by
    )
    return UserHistory(of_user, False, seen.state, last, firsts, recorded.is_whole)


def _goes_by(event: str, fact: Fact) -> Attribution | None:
    row = parse(event)
    return fact.period if row is not None and row.goes_by == "current" else fact.first


def _earlier(seen: UserSeen, reading: Reading, material: Material) -> Iterator[Earlier]:
    """What is known to have come before the record: from the users topic, and what its device did."""
    entry = reading.occurrence.placed
    assert isinstance(entry, Entry)
    found: list[UserRecord] = []
    for told in seen.told:
        if _is_of(told, entry):
            yield from (_short(one) for one in found if not one.reinstall)
            break
        found.append(told)
    for other in material.history.readings:
        if other is reading:
            break
        fact = other.processed
        if fact is None or fact.result != "processed" or fact.entry.record.user_id != entry.record.user_id:
            continue
        # What is held is decided later, in the order of own times.
        held_longer = other.release is not None and (reading.release is None or fact.entry.at > entry.at)
        if not held_longer:
            yield _short(fact.entry)


def _is_of(told: UserRecord, entry: Entry) -> bool:
    return (told.kind, told.id, told.device_key, told.at) == (entry.kind, entry.id, entry.device_key, entry.at)


def _short(one: UserRecord | Entry) -> Earlier:
    return Earlier(one.id, one.device_key, one.at, one.name)
