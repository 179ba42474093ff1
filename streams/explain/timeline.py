"""A device's and a user's state in words: a timeline, and what is remembered beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.config import App
from streams.attribution.events import TABLE, Fires
from streams.attribution.marks import WIDTH, count_seen, mark
from streams.attribution.state import KEPT, Attribution, Device
from streams.attribution.users import User

from .told import About, DeviceStory, Period, UserStory
from .words import REASONS, count, listed, moment, source, span


def device_story(
    device_key: str, partition: int, device: Device, size: int, app: App | None, names: Iterable[str], now: int
) -> DeviceStory:
    """A device. `app` None: it is not configured any more. `names`: custom events that are known, for the marks are
    hashes. `now` in milliseconds.
    """
    known = {mark(name): name for name in names}
    first = device.attributions[0] if device.attributions else None
    dormant = device.clock + app.inactivity_window if first is not None and app is not None else None
    return DeviceStory(
        device_key=device_key,
        partition=partition,
        bytes=size,
        known_since=first.start if first else None,
        dormant_from=dormant,
        held=len(device.held),
        attributions=[_period(one, device, known) for one in device.attributions],
        said=list(_paragraphs(device, app, known, now, dormant)),
    )


def _period(one: Attribution, device: Device, known: dict[bytes, str]) -> Period:
    told = [source(one.touch)]
    if one.assumed:
        told.append("assumed: no install has been seen, and one that comes claims it")
    if one.touch is not None:
        away = one.start - one.touch.click_timestamp
        kind = one.touch.touch_type or "click"
        told.append(f"{kind} {span(away)} {'before' if away >= 0 else 'after'}" if away else f"{kind} at that moment")
        campaign = one.touch.campaign_name or one.touch.campaign_id
        told += [f"campaign {campaign}"] if campaign else []
    used = [*firsts(one.firsts, Fires.PERIOD), *_custom(one.marks(device), known, "first_event_ca")]
    told += [f"used: {listed(used)}"] if used else []
    if one.sessions:
        periods = listed(str(number + 1) for number in one.sessions)
        told.append(f"sessions in the 24-hour periods {periods}")
    return Period(
        number=one.number, start=one.start, reason=REASONS[one.reason], source=source(one.touch), text="; ".join(told)
    )


def firsts(bits: int, fires: Fires) -> list[str]:
    """The derived events whose firsts are used."""
    rows = (row for row in TABLE if row.fires is fires and row.bit is not None)
    return [row.name for row in rows if bits & 1 << (row.bit or 0)]


def _custom(marks: bytes, known: dict[bytes, str], form: str) -> Iterator[str]:
    """The firsts of custom events: those whose names are known, and how many others."""
    found = [marks[at : at + WIDTH] for at in range(0, len(marks), WIDTH)]
    yield from (f"{form}:{known[one]}" for one in found if one in known)
    others = sum(one not in known for one in found)
    if others:
        yield f"{form} of {count(others, 'name')} that no postback has"


def _paragraphs(
    device: Device, app: App | None, known: dict[bytes, str], now: int, dormant: int | None
) -> Iterator[About]:
    if app is None:
        yield About(about="app", text="its app is not configured any more: its records are ignored")
    if device.attributions:
        yield About(about="clock", text=_clock(device, app, now, dormant))
        yield About(about="newest", text=_newest(device, app))
        installed = device.installed_at
        yield About(about="install", text="none has been seen" if installed is None else moment(installed))
    used = [*firsts(device.firsts, Fires.LIFETIME), *_custom(device.names, known, "first_event")]
    yield About(about="firsts used", text=listed(used))
    yield About(about="held", text=_held(device, app))
    remembered = count_seen(device.seen)
    yield About(about="remembered", text=f"{count(remembered, 'record id')}, against duplicates")
    if len(device.attributions) > KEPT:
        yield About(about="attributions", text=f"the first and the {KEPT} newest are kept")


def _clock(device: Device, app: App | None, now: int, dormant: int | None) -> str:
    text = f"last activity, or start, at {moment(device.clock)}"
    if dormant is None or app is None:
        return text
    if now > dormant:
        return f"{text}; dormant since {moment(dormant)} (inactivity window {span(app.inactivity_window)})"
    return f"{text}; dormant after {moment(dormant)}, in {span(dormant - now)}"


def _newest(device: Device, app: App | None) -> str:
    text = f"newest record {moment(device.newest)}"
    if app is None:
        return text
    oldest = max(device.newest - app.dedup_window, device.forgotten)
    return f"{text}; what lies before {moment(oldest)} is too late (`dedup_window` {span(app.dedup_window)})"


def _held(device: Device, app: App | None) -> str:
    if not device.held:
        return "nothing"
    since = device.held_since or 0
    until = f" past {moment(since + app.install_grace)} (append time)" if app else ""
    ids = listed(f"`{one.name}` {one.id}" for one in sorted(device.held, key=lambda one: one.at)[:5])
    more = f" and {len(device.held) - 5:,} more" if len(device.held) > 5 else ""
    waiting = count(len(device.held), "record")
    return f"{waiting}, until every source has been read{until}, or an install comes: {ids}{more}"


def user_story(user_key: str, partition: int, user: User, size: int) -> UserStory:
    """A user."""
    used = [row.name for row in TABLE if "user" in row.scopes and row.bit is not None and user.firsts & 1 << row.bit]
    said = [
        About(
            about="first seen",
            text=f"{moment(user.since)} on device {user.device_key} of {user.app_id}, by record {user.record_id}",
        ),
        About(about="clock", text=f"last activity, or first record, at {moment(user.clock)}"),
        About(about="newest", text=f"newest record {moment(user.newest)}"),
        About(about="firsts used", text=listed(used)),
    ]
    return UserStory(user_key=user_key, partition=partition, bytes=size, since=user.since, said=said)


def custom_names(events: Iterable[str]) -> set[str]:
    """The names of custom events among derived events."""
    return {name for event in events if (name := event.partition(":")[2])}
