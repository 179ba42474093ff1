"""Times, durations, sources and names as people read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from schemas import times
from schemas.config import DAY, HOUR, MINUTE, SECOND
from schemas.touch import Touch
from streams.attribution.state import Attribution, Reason

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1, "ms"))

#: How refusals tell times: a word, and milliseconds behind it.
_MILLISECONDS = re.compile(r"(?<=\btime )-?\d{1,18}(?![\w-])")

#: What started an attribution.
REASONS: dict[Reason, str] = {
    Reason.INSTALL: "install",
    Reason.FIRST_RECORD: "first record",
    Reason.RE_INSTALL: "re-install",
    Reason.RE_ENGAGEMENT: "re-engagement",
    Reason.VISIT: "visit with a touch",
}


#: A time in milliseconds as `2026-01-02T03:04:05Z`; parts of a second only when there are any.
moment = times.text


def span(milliseconds: int) -> str:
    """A duration in its two largest units that are not nought: `3 h 12 min`, `30 d`, `1 d 30 min`. Its sign is not
    told. What is compared with a limit is told by `exact`.
    """
    return " ".join(_parts(abs(milliseconds))[:2]) or "0 s"


def exact(milliseconds: int, limit: int | None = None) -> str:
    """A duration with all its units: `30 d 1 s`. Its sign is not told. With the limit that it is compared with,
    milliseconds are only told when it takes them to see on which side it lies.
    """
    whole = abs(milliseconds)
    if limit is not None and whole >= SECOND and (whole == limit or abs(whole - limit) >= SECOND):
        whole -= whole % SECOND if whole != limit else 0
    return " ".join(_parts(whole)) or "0 s"


def _parts(left: int) -> list[str]:
    found = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number:
            found.append(f"{number:,} {unit}")
    return found


def count(number: int, one: str, many: str = "") -> str:
    """`1 record`, `1,200 records`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, end = list(names) or ["none"]
    return f"{', '.join(before)} {last} {end}" if before else end


def in_iso(text: str) -> str:
    """A text of a topic with its times in milliseconds (`own time 1767225600000`) as people read them."""
    return _MILLISECONDS.sub(lambda found: moment(int(found[0])), text)


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
