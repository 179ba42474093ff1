"""What a record does to its device when it is processed: periods, windows, claims, derived events (contract §4, §5).

The device's timeline is cut into numbered attributions. A record that is not late may open the next one; a late one
only finds the one that its time lies in. An install may be a claim: it then gives a source to an attribution that has
none, and nothing else moves.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from schemas.config import App
from schemas.touch import Touch

from .entry import Entry
from .events import SESSION
from .facts import Derived, Fact, Session
from .firing import Plan, befall, fire, plan_of
from .sessions import launched
from .state import Attribution, Device, Reason, keep_bounded
from .touches import Lookbacks, eligible_touch


def process(device: Device, entry: Entry, app: App, lookbacks: Lookbacks) -> Fact:
    """Decide a record that is neither refused nor held. Changes the device."""
    if entry.kind == "install":
        return _process_install(device, entry, app, eligible_touch(entry, lookbacks))
    return _process_event(device, entry, app, lookbacks)


def _process_event(device: Device, entry: Entry, app: App, lookbacks: Lookbacks) -> Fact:
    at = entry.at
    plan = plan_of(entry.name, app.platform)
    derived: list[Derived] = []
    late = False
    appears = not device.attributions
    if appears:
        web = app.platform == "web"
        touch = eligible_touch(entry, lookbacks) if web else None
        period = _appear(device, Attribution(1, at, Reason.FIRST_RECORD, touch, assumed=not web))
    elif at < device.newest:
        late = True
        period = _period_at(device, at)
    else:
        if plan.is_activity:
            _be_active(device, entry, app, lookbacks, plan, derived)
        device.newest = at
        period = device.attributions[-1]
    fire(plan, device, period, derived)
    sessions: tuple[Session, ...] = ()
    if plan.has_sessions:
        # A held launch may be older than anything that can still be read; those behind it are not.
        sessions = launched(device, at, min(at, device.newest - app.dedup_window))
        # At `all`, and in reports, periods count from the first appearance.
        if sessions and sessions[-1].due:
            derived.append(Derived(SESSION, period))
    first = device.attributions[0]
    return Fact(entry, "processed", late, tuple(derived), device.installed_at, first, period, sessions, appears)


def _be_active(
    device: Device, entry: Entry, app: App, lookbacks: Lookbacks, plan: Plan, derived: list[Derived]
) -> None:
    """Move the clock, after opening the attribution that the activity may be a reason for."""
    if entry.at - device.clock > app.inactivity_window:
        _restart(device, app, entry.at, Reason.RE_ENGAGEMENT, eligible_touch(entry, lookbacks))
        fire(befall("re_engagement", app.platform), device, device.attributions[-1], derived)
    elif plan.is_web_visit and (touch := eligible_touch(entry, lookbacks)):
        _restart(device, app, entry.at, Reason.VISIT, touch)
    device.clock = entry.at


def _process_install(device: Device, entry: Entry, app: App, touch: Touch | None) -> Fact:
    at = entry.at
    derived: list[Derived] = []
    appears = not device.attributions
    late = not appears and at < device.newest
    if appears:
        device.installed_at = at
        period = _appear(device, Attribution(1, at, Reason.INSTALL, touch))
        fire(befall("install", app.platform), device, period, derived)
    elif _claim(device, at, app, touch, derived):
        device.newest = max(device.newest, at)
    elif not late and at - device.clock >= app.inactivity_window:
        device.clock = device.newest = at
        _restart(device, app, at, Reason.RE_INSTALL, touch)
        fire(befall("re_install", app.platform), device, device.attributions[-1], derived)
    else:
        first, period = device.attributions[0], _period_at(device, at)
        return Fact(entry, "reinstall", late, installed_at=device.installed_at, first=first, period=period)
    first, period = device.attributions[0], _period_at(device, at)
    return Fact(entry, "processed", late, tuple(derived), device.installed_at, first, period, appears=appears)


def _appear(device: Device, first: Attribution) -> Attribution:
    device.attributions = [first]
    device.clock = device.newest = first.start
    return first


def _restart(device: Device, app: App, at: int, reason: Reason, touch: Touch | None) -> None:
    """Open the next attribution. Without a touch it is organic, or, as the app wants it, keeps the source."""
    attributions = device.attributions
    current = attributions[-1]
    if touch is None and not app.reattribute_to_organic:
        touch = current.touch
    # What is held was not too late when it was read, however old it is by now.
    oldest = min([at - app.dedup_window, *(one.at for one in device.held)])
    for period, following in pairwise(attributions):
        # No record that is not too late can fall into it again.
        if period.names and following.start <= oldest:
            period.names = b""
            device.forgotten = max(device.forgotten, oldest)
    attributions.append(Attribution(current.number + 1, at, reason, touch))
    keep_bounded(attributions, min(oldest, at - app.claim_window))


def _period_at(device: Device, at: int) -> Attribution:
    """The attribution in whose period a time lies; before all: number 1."""
    for period in reversed(device.attributions):
        if period.start <= at:
            return period
    return device.attributions[0]


def _claim(device: Device, at: int, app: App, touch: Touch | None, derived: list[Derived]) -> bool:
    """Give the install's source to an attribution that waits for it. Numbers, starts, the clock and used firsts stay.

    An assumed first attribution waits for any install, for as long as it takes. An organic install or re-install that
    was seen waits for a touch, for the claim window.
    """
    first = device.attributions[0]
    if first.assumed:
        device.installed_at = at
        period = _give(device, 0, touch)
        fire(befall("install", app.platform), device, period, derived)
        return True
    if touch is None:
        return False
    for index in range(len(device.attributions) - 1, 0, -1):
        period = device.attributions[index]
        organic = period.reason is Reason.RE_INSTALL and period.touch is None
        if organic and abs(at - period.start) <= app.claim_window:
            period = _give(device, index, touch)
            fire(befall("re_install", app.platform), device, period, derived, claim=True)
            return True
    installed_at = device.installed_at
    if installed_at is not None and first.touch is None and abs(at - installed_at) <= app.claim_window:
        period = _give(device, 0, touch)
        fire(befall("install", app.platform), device, period, derived, claim=True)
        return True
    return False


def _give(device: Device, index: int, touch: Touch | None) -> Attribution:
    """A copy, because a fact that was handed out keeps the source it was decided with."""
    period = msgspec.structs.replace(device.attributions[index], touch=touch, assumed=False)
    device.attributions[index] = period
    return period
