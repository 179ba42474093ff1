"""Which device a record is of, and when it happened (contract §3)."""

from __future__ import annotations

from operator import attrgetter

from schemas import times
from schemas.config import DAY, MINUTE, App
from schemas.record import Event, Install
from schemas.report import LAST_DAY

from .entry import Entry, Kind, Rejection
from .events import ALIASES

#: 2000-01-01T00:00:00Z: no record of an app can be older.
EARLIEST = 946_684_800_000

#: An own time this much after the append time is a clock that runs a little ahead; beyond it, it is wrong.
SKEW = 5 * MINUTE

#: Ids and names become keys and stand in every record that is written for this one: none has more characters.
LONGEST_NAME = 1_000

_LOWER_CASED = ("google_aid", "ios_ifa", "windows_aid", "ios_ifv")
_lower_cased = attrgetter(*_LOWER_CASED)
_ADVERTISING_IDS = frozenset({"google_aid", "ios_ifa", "windows_aid"})
_ZEROS = frozenset({"0" * 32, "00000000-0000-0000-0000-000000000000"})


def place(record: Install | Event, kind: Kind, appended: int, origin: str, app: App) -> Entry | Rejection:
    """The record's entry, or why it has none. Normalises the record's identifiers in place.

    `origin` is its `topic-partition-offset`, the id of a record that has none. An empty text counts as missing. The
    caller has found the record's app.
    """
    if isinstance(record, Event):
        name = ALIASES.get(record.event_name, record.event_name)
        field, written = "event_timestamp", record.event_timestamp
    else:
        name = "install"
        field, written = "install_timestamp", record.install_timestamp
    if not name:
        return Rejection("invalid", "event_name: is empty")
    device_id = identify(record, app)
    if device_id is None:
        return Rejection("no_identifier", f"none of {', '.join(app.device_key)}")
    own_id, user_id = record.id or "", record.user_id or ""
    lengths = (len(own_id), len(name), len(device_id), len(user_id))
    if sum(lengths) > LONGEST_NAME and max(lengths) > LONGEST_NAME:
        return _too_long(id=own_id, event_name=name, identifier=device_id, user_id=user_id)
    if appended // DAY > LAST_DAY:
        return Rejection("time", "append time after the year 9999: it must be in milliseconds")
    at, clicked = appended, None
    try:
        if written is not None and written != "":
            at = times.parse(written)
        field, clicked_at = "click_timestamp", record.click_timestamp
        if clicked_at is not None and clicked_at != "":
            clicked = times.parse(clicked_at)
    except times.UnreadableTimeError as error:
        return Rejection("invalid", f"{field}: not a time: {str(error)[:100]!r}")
    if at > appended + SKEW:
        if at > appended + DAY:
            told = f"own time {times.text(at)} is more than a day after the append time {times.text(appended)}"
            return Rejection("time", told)
        at = appended
    elif at < EARLIEST:
        return Rejection("time", f"own time {times.text(at)} is before 2000")
    return Entry(record, kind, own_id or origin, name, at, appended, f"{app.id}|{device_id}", device_id, clicked)


def _too_long(**names: str) -> Rejection:
    field, text = next((field, text) for field, text in names.items() if len(text) > LONGEST_NAME)
    return Rejection("too_large", f"{field}: has {len(text):,} characters, expected at most {LONGEST_NAME:,}")


def identify(record: Install | Event, app: App) -> str | None:
    """The first identifier present in the app's order, None when there is none. Normalises the record's identifiers."""
    for field, value in zip(_LOWER_CASED, _lower_cased(record), strict=True):
        if value is not None:
            lower = value.lower()
            if lower in _ZEROS and field in _ADVERTISING_IDS:
                lower = None
            if lower != value:
                setattr(record, field, lower)
    for field in app.device_key:
        value = getattr(record, field)
        if value:
            return str(value)
    return None
