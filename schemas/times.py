"""Times as users write them (contract §3) → milliseconds since 1970, UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from schemas.record import WrittenTime

#: Unix times from here on are milliseconds, below they are seconds.
MILLISECONDS_FROM = 10**11

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The span of times that can be told, the years 1 to 9999.
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999

#: RFC 3339, and `YYYY-MM-DD HH:MM:SS` in UTC. `datetime.fromisoformat` alone would also take week dates, bare dates
#: and commas.
_CALENDAR = re.compile(r"(\d{4}-\d\d-\d\d)([Tt ])(\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII).fullmatch

_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII).fullmatch


class UnreadableTimeError(ValueError):
    """The text or number is not a time in any of the forms of the contract."""


def parse(written: WrittenTime) -> int:
    """Milliseconds since 1970; parts of a millisecond are cut off. Raises `UnreadableTimeError`.

    Unix times outside the years 1 to 9999 are taken as the end of that span, so that a time can always be stored.
    """
    if not isinstance(written, str):
        return _unix(written)
    found = _CALENDAR(written)
    if found is not None:
        return _calendar(written, found)
    if _NUMBER(written):
        return _unix(float(written) if "." in written else int(written))
    raise UnreadableTimeError(written)


def text(at: int) -> str:
    """Milliseconds as RFC 3339, for people; outside the years 1 to 9999 the end of that span."""
    time = _EPOCH + timedelta(milliseconds=max(FIRST, min(LAST, at)))
    return time.isoformat(timespec="milliseconds" if time.microsecond else "seconds").replace("+00:00", "Z")


def _calendar(written: str, found: re.Match[str]) -> int:
    date, separator, minutes, seconds, fraction, zone = found.groups()
    leap = 0
    if zone is None and separator != " ":
        # Without an offset this would be some local time.
        raise UnreadableTimeError(written)
    if zone != "Z" or separator != "T" or seconds == "60":
        if seconds == "60":
            seconds, leap = "59", 1000
        written = f"{date}T{minutes}{seconds}{fraction or ''}{(zone or 'Z').upper()}"
    try:
        since = datetime.fromisoformat(written) - _EPOCH
    except ValueError:
        raise UnreadableTimeError(written) from None
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000 + leap


def _unix(number: int | float) -> int:
    if isinstance(number, float) and not math.isfinite(number):
        raise UnreadableTimeError(str(number))
    if abs(number) >= MILLISECONDS_FROM:
        return max(FIRST, min(LAST, math.floor(number)))
    # A double has no exact tenths: 1.001 s must not become 1000 ms.
    return number * 1000 if isinstance(number, int) else math.floor(round(number * 1000, 3))
