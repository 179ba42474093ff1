"""Times, durations, sources and names as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from schemas.config import DAY, HOUR, MINUTE, SECOND
from schemas.times import FIRST, LAST
from schemas.touch import Touch
from streams.attribution.state import Attribution, Reason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1, "ms"))

#: What started an attribution.
REASONS: dict[Reason, str] = {
    Reason.INSTALL: "install",
    Reason.FIRST_RECORD: "first record",
    Reason.RE_INSTALL: "re-install",
    Reason.RE_ENGAGEMENT: "re-engagement",
    Reason.VISIT: "visit with a touch",
}


def moment(at: int) -> str:
    """A time in milliseconds as `2026-01-02T03:04:05Z`; parts of a second only when there are any."""
    time = _EPOCH + timedelta(milliseconds=max(FIRST, min(LAST, at)))
    return time.isoformat(timespec="milliseconds" if time.microsecond else "seconds").replace("+00:00", "Z")


def span(milliseconds: int) -> str:
    """A duration in its two largest units: `3 h 12 min`, `30 d`. Its sign is not told."""
    left = abs(milliseconds)
    for number, (size, unit) in enumerate(_UNITS):
        if left >= size:
            text = f"{left // size:,} {unit}"
            rest, following = left % size, _UNITS[number + 1 : number + 2]
            below = [f"{rest // small} {name}" for small, name in following if rest >= small]
            return " ".join([text, *below])
    return "0 s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 record`, `1,200 records`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, end = list(names) or ["none"]
    return f"{', '.join(before)} {last} {end}" if before else end


def source(touch: Touch | None) -> str:
    """Who brought the user, as the record names them."""
    if touch is None:
        return "organic"
    names = [touch.publisher_name or "", f"the agency {touch.agency_name}" if touch.agency_name else ""]
    return " by ".join(filter(None, names))


def attribution(one: Attribution) -> str:
    """An attribution's number and source."""
    return f"{one.number} ({'organic, assumed' if one.assumed else source(one.touch)})"


def campaign(touch: Touch | None) -> str:
    """A touch's campaign, by id and name as far as there are any."""
    names = [] if touch is None else [name for name in (touch.campaign_id, touch.campaign_name) if name]
    return " ".join(dict.fromkeys(names)) or "none"
