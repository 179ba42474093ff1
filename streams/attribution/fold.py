"""The fold: (device, record) → (device, facts, when held records are due). Pure; the heart of the product.

A device that is forgotten (`forgetting`) is one that was never seen. A record that is read is judged in this order:

1. *too late*: its own time lies more than the dedup window before the newest of the device's processed records (or
   before what has been forgotten under a smaller window);
2. *duplicate*: a record of its kind and id has been read before, even if that one was held or a reinstall;
3. *held*: an event for which an install may still come, see `_waits`;
4. otherwise it is processed, and if it is an install, what the device holds after it.

Everything is a matter of own times and append times: there is no clock here.
"""

from __future__ import annotations

import msgspec

from schemas.config import SECOND, App
from schemas.record import Event

from .entry import Entry
from .facts import Derived, Fact, Result, Session, Step
from .forgetting import is_forgotten
from .marks import has_seen, mark, see
from .periods import process
from .state import Device, Held
from .touches import Lookbacks

__all__ = ["Derived", "Fact", "Lookbacks", "Session", "Step", "fold", "is_absent", "release"]

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(Event).decode


def fold(device: Device | None, entry: Entry, app: App, lookbacks: Lookbacks, hold_limit: int = 1000) -> Step:
    """Read one record of a device (None: never seen). Changes the given device; if it raises, throw that one away."""
    if device is None or (app.forget_after is not None and is_absent(device, entry, app)):
        device = Device()
    oldest = device.newest - app.dedup_window if device.attributions else None
    if oldest is not None and entry.at < max(oldest, device.forgotten):
        return _step(device, app, entry, "too_late")
    record_mark = mark(entry.kind + entry.id)
    if has_seen(device.seen, record_mark):
        return _step(device, app, entry, "duplicate")
    if see(device.seen, record_mark, entry.at, oldest, app.dedup_window) and oldest is not None:
        device.forgotten = max(device.forgotten, oldest)

    if entry.appended > device.appended_s * SECOND:
        device.appended_s = -(-entry.appended // SECOND)
    record = entry.record
    if isinstance(record, Event) and _waits(device, entry, app):
        _hold(device, entry, record)
        if app.install_grace and len(device.held) <= hold_limit:
            return _step(device, app, entry, "held")
        return release(device, app, lookbacks)
    fact = process(device, entry, app, lookbacks)
    if not device.held:
        return Step(device, [fact], None)
    released = release(device, app, lookbacks)
    return Step(device, [fact, *released.facts], None)


def release(device: Device, app: App, lookbacks: Lookbacks) -> Step:
    """Process all that the device holds, in the order of own times. Changes the device."""
    held, device.held, device.held_since = device.held, [], None
    held.sort(key=lambda one: (one.at, one.appended))
    return Step(device, [process(device, _entry(one, app), app, lookbacks) for one in held], None)


def is_absent(device: Device, entry: Entry, app: App) -> bool:
    """Whether the record finds no device where this one was. What is held is decided first: that has been promised."""
    after = app.forget_after
    return after is not None and is_forgotten(device.appended_s, entry.appended, after) and not device.held


def _step(device: Device, app: App, entry: Entry, result: Result) -> Step:
    """The record changes no attribution now."""
    release_at = None if device.held_since is None else device.held_since + app.install_grace
    return Step(device, [Fact(entry, result, installed_at=device.installed_at)], release_at)


def _waits(device: Device, entry: Entry, app: App) -> bool:
    """Whether an install may still come that must go first: the device is unknown, dormant, or holds already."""
    if device.held:
        return True
    if not app.install_grace or app.platform == "web":
        return False
    return not device.attributions or entry.at > device.clock + app.inactivity_window


def _hold(device: Device, entry: Entry, record: Event) -> None:
    since = device.held_since
    device.held_since = entry.appended if since is None else min(since, entry.appended)
    device.held.append(
        Held(_to_json(record), entry.id, entry.name, entry.at, entry.appended, entry.device_id, entry.clicked)
    )


def _entry(held: Held, app: App) -> Entry:
    device_key = f"{app.id}|{held.device_id}"
    return Entry(
        _from_json(held.record),
        "event",
        held.id,
        held.name,
        held.at,
        held.appended,
        device_key,
        held.device_id,
        held.clicked,
    )
