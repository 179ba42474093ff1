"""A device's and a user's state in words: a timeline, and what is remembered beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.config import SECOND, App
from streams.attribution.events import TABLE, Fires
from streams.attribution.marks import WIDTH, count_seen, mark
from streams.attribution.state import KEPT, Attribution, Device, Held
from streams.attribution.users import User

from .told import About, DeviceStory, Period, UserStory, Waiting
from .words import REASONS, count, exact, listed, moment, source, span


def device_story(
    device_key: str, partition: int, device: Device, size: int, app: App | None, names: Iterable[str], now: int
) -> DeviceStory:
    """A device. `app` None: it is not configured any more. `names`: custom events that are known, for the marks are
    hashes. `now` in milliseconds.
    """
    known = {mark(name): name for name in names}
    first = device.attributions[0] if device.attributions else None
    dormant = device.clock + app.inactivity_window if first is not None and app is not None else None
    is_known = first is not None
    return DeviceStory(
        device_key=device_key,
        partition=partition,
        bytes=size,
        known_since=first.start if first else None,
        clock=device.clock if is_known else None,
        dormant_from=dormant,
        newest=device.newest if is_known else None,
        too_late_before=_oldest(device, app) if is_known and app is not None else None,
        installed_at=device.installed_at,
        firsts=firsts(device.firsts, Fires.LIFETIME),
        custom_firsts=len(device.names) // WIDTH,
        remembered=count_seen(device.seen),
        held=len(device.held),
        held_records=[
            Waiting(record_id=one.id, event_name=one.name, at=one.at, appended=one.appended) for one in _waiting(device)
        ],
        attributions=[_period(one, device, known) for one in device.attributions],
        said=[*_paragraphs(device, app, known, now, dormant), About(about="size", text=f"{size:,} bytes of state")],
    )


def _period(one: Attribution, device: Device, known: dict[bytes, str]) -> Period:
    touch, marks = one.touch, one.marks(device)
    used = firsts(one.firsts, Fires.PERIOD)
    return Period(
        number=one.number,
        start=one.start,
        reason=REASONS[one.reason],
        source=source(touch),
        text="; ".join(_told(one, [*used, *_custom(marks, known, "first_event_ca")])),
        is_assumed=one.assumed,
        publisher_name=touch.publisher_name if touch else None,
        agency_name=touch.agency_name if touch else None,
        campaign_id=touch.campaign_id if touch else None,
        campaign_name=touch.campaign_name if touch else None,
        touched_at=touch.click_timestamp if touch else None,
        firsts=used,
        custom_firsts=len(marks) // WIDTH,
        sessions=[number + 1 for number in one.sessions],
    )


def _told(one: Attribution, used: list[str]) -> Iterator[str]:
    touch = one.touch
    yield source(touch)
    if one.assumed:
        yield "assumed: no install has been seen, and one that comes claims it"
    if touch is not None:
        away = one.start - touch.click_timestamp
        kind = touch.touch_type or "click"
        yield f"{kind} {exact(away)} {'before' if away >= 0 else 'after'}" if away else f"{kind} at that moment"
        if campaign := touch.campaign_name or touch.campaign_id:
            yield f"campaign {campaign}"
    if used:
        yield f"used: {listed(used)}"
    if one.sessions:
        periods = listed(str(number + 1) for number in one.sessions)
        what = "period" if len(one.sessions) == 1 else "periods"
        yield (
            f"session in the 24-hour {what} {periods} from its start (newest kept: those that a late record could "
            "still meet)"
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
        which = "its name is" if others == 1 else "their names are"
        yield f"{form} of {count(others, 'custom event')} that no postback fires on ({which} kept as a hash only)"


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
    if app is not None and app.forget_after is not None and device.appended_s:
        until = moment(device.appended_s * SECOND + app.forget_after)
        text = f"when nothing of it is appended until {until} (`forget_after` {exact(app.forget_after)})"
        yield About(about="forgotten", text=text)
    if len(device.attributions) > KEPT:
        yield About(about="attributions", text=f"the first and the {KEPT} newest are kept")


def _clock(device: Device, app: App | None, now: int, dormant: int | None) -> str:
    text = f"last activity, or start, at {moment(device.clock)}"
    if dormant is None or app is None:
        return text
    window = f"inactivity window {exact(app.inactivity_window)}"
    means = "an activity is then a re-engagement, an install a re-install"
    if now > dormant:
        return f"{text}; dormant since {moment(dormant)} ({window}): {means}"
    return f"{text}; dormant after {moment(dormant)}, in {span(dormant - now)} ({window}): {means}"


def _newest(device: Device, app: App | None) -> str:
    text = f"newest record {moment(device.newest)}"
    if app is None:
        return text
    oldest = moment(_oldest(device, app))
    return f"{text}; what lies before {oldest} is too late (`dedup_window` {exact(app.dedup_window)})"


def _oldest(device: Device, app: App) -> int:
    """What lies before it is too late (own time)."""
    return max(device.newest - app.dedup_window, device.forgotten)


def _waiting(device: Device) -> list[Held]:
    return sorted(device.held, key=lambda one: (one.at, one.appended))


def _held(device: Device, app: App | None) -> str:
    if not device.held:
        return "nothing"
    since = device.held_since or 0
    until = f" past {moment(since + app.install_grace)} (append time)" if app else ""
    ids = listed(f"`{one.name}` {one.id}" for one in _waiting(device)[:5])
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
        About(about="size", text=f"{size:,} bytes of state"),
    ]
    return UserStory(
        user_key=user_key,
        partition=partition,
        bytes=size,
        since=user.since,
        app_id=user.app_id,
        device_key=user.device_key,
        record_id=user.record_id,
        clock=user.clock,
        newest=user.newest,
        firsts=used,
        said=said,
    )


def custom_names(events: Iterable[str]) -> set[str]:
    """The names of custom events among derived events."""
    return {name for event in events if (name := event.partition(":")[2])}
