"""The records of a device as a list, for those who look for one. Pure."""

from __future__ import annotations

from streams.attribution.entry import Entry

from .found import History, Reading
from .story import result_of
from .told import Line, Listing, Place

#: So many are listed at the most.
MOST = 50


def listing(device_key: str, history: History, most: int = MOST) -> Listing:
    """The newest records of a device by own time, the newest last."""
    lines = sorted(map(_line, history.readings), key=lambda one: one.place.appended if one.at is None else one.at)
    return Listing(device_key=device_key, records=lines[-most:], older=max(0, len(lines) - most))


def _line(reading: Reading) -> Line:
    raw, placed = reading.occurrence.raw, reading.occurrence.placed
    entry = placed if isinstance(placed, Entry) else None
    return Line(
        record_id=entry.id if entry else f"{raw.topic}-{raw.partition}-{raw.offset}",
        kind=entry.kind if entry else raw.source.record,
        event_name=entry.name if entry else "",
        at=entry.at if entry else None,
        place=Place(topic=raw.topic, partition=raw.partition, offset=raw.offset, appended=raw.appended),
        result=result_of(reading),
        late=reading.processed is not None and reading.processed.late,
    )
