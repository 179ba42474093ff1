"""What each macro is worth on an occasion: a derived event of a record, under an attribution, for a postback.

The names and kinds of macros are one table, `streams.templates.macros`; this module only says where a value is found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.config import App, Postback
from streams.attribution.entry import Entry
from streams.attribution.state import Attribution
from streams.templates import macros


class Occasion(NamedTuple):
    """One derived event of one record, for one postback. `installed_at`: milliseconds, None when no install was ever
    seen.
    """

    entry: Entry
    event: str
    attribution: Attribution
    installed_at: int | None
    app: App
    postback: Postback
    job_id: str


Reader = Callable[[Occasion], Any]

_ATTRIBUTION: dict[str, Reader] = {
    "attribution_number": lambda o: o.attribution.number,
    "is_organic": lambda o: o.attribution.touch is None,
    "is_reattribution": lambda o: o.attribution.number > 1,
    "touch_type": lambda o: None if o.attribution.touch is None else o.attribution.touch.touch_type or "click",
}

_OCCASION: dict[str, Reader] = {
    "event": lambda o: o.event,
    "event_name": lambda o: o.entry.name,
    "event_id": lambda o: o.entry.id,
    "id": lambda o: o.entry.id,
    "job_id": lambda o: o.job_id,
    "postback_id": lambda o: o.postback.id,
    "app_id": lambda o: o.app.id,
    "bundle_id": lambda o: o.app.bundle_id,
    "partner_id": lambda o: o.postback.partner,
    "device_id": lambda o: o.entry.device_id,
    "event_timestamp": lambda o: o.entry.at,
    "install_timestamp": lambda o: o.installed_at,
    "platform": lambda o: o.entry.record.platform or o.app.platform,
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
        touch = occasion.attribution.touch
        return None if touch is None else getattr(touch, name)

    return read


def _record_reader(name: str) -> Reader:
    def read(occasion: Occasion) -> Any:
        return getattr(occasion.entry.record, name, None)

    return read
