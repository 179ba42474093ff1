"""What each macro is worth on an occasion: a derived event of a record, under an attribution, for a postback.

The names and kinds of macros are one table, `streams.templates.macros`; this module only says where a value is found.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from schemas.config import App, Postback
from schemas.record import Event, Install
from schemas.touch import Touch
from streams.attribution.entry import Entry
from streams.attribution.state import Attribution
from streams.templates import macros


class Occasion(msgspec.Struct, frozen=True, gc=False):
    """One derived event of one record, for one postback; `record` and `touch` are those of the entry and the
    attribution. `installed_at`: milliseconds, None when no install was ever seen.
    """

    record: Install | Event
    touch: Touch | None
    entry: Entry
    event: str
    attribution: Attribution
    installed_at: int | None
    app: App
    postback: Postback
    job_id: str


Reader = Callable[[Occasion], Any]

_ATTRIBUTION: dict[str, Reader] = {
    "attribution_number": attrgetter("attribution.number"),
    "is_organic": lambda o: o.touch is None,
    "is_reattribution": lambda o: o.attribution.number > 1,
    "touch_type": lambda o: None if o.touch is None else o.touch.touch_type or "click",
}

_OCCASION: dict[str, Reader] = {
    "event": attrgetter("event"),
    "event_name": attrgetter("entry.name"),
    "event_id": attrgetter("entry.id"),
    "id": attrgetter("entry.id"),
    "job_id": attrgetter("job_id"),
    "postback_id": attrgetter("postback.id"),
    "app_id": attrgetter("app.id"),
    "bundle_id": attrgetter("app.bundle_id"),
    "partner_id": attrgetter("postback.partner"),
    "device_id": attrgetter("entry.device_id"),
    "event_timestamp": attrgetter("entry.at"),
    "install_timestamp": attrgetter("installed_at"),
    "platform": lambda o: o.record.platform or o.app.platform,
}


def reader_of(name: str, *, supply_network_data: bool) -> Reader | None:
    """The function that finds macro `name`, or None when the postback withholds it (contract §6,
    `supply_network_data`).
    """
    macro = macros.find(name)
    if macro is not None and macro.level == "attribution":
        if not supply_network_data:
            return None
        return _ATTRIBUTION.get(name) or _touch_reader(name)
    return _OCCASION.get(name) or _record_reader(name)


def _touch_reader(name: str) -> Reader:
    def read(occasion: Occasion) -> Any:
        touch = occasion.touch
        return None if touch is None else getattr(touch, name)

    return read


def _record_reader(name: str) -> Reader:
    if name in Install.__struct_fields__:
        return attrgetter(f"record.{name}")

    def read(occasion: Occasion) -> Any:
        return getattr(occasion.record, name, None)  # an install has no revenue, for one

    return read
