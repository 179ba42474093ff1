"""What a device key that finds nothing may have been meant for. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.config import App
from schemas.record import Event
from streams.attribution.identity import identify


def normalised(device_key: str, apps: Iterable[App]) -> str | None:
    """The key under which the app has the identifier, where that is another than it was written: some kinds of
    identifiers are lower-cased. None: it is as it was written, or the app is not configured.
    """
    app_id, _, written = device_key.partition("|")
    app = next((one for one in apps if one.id == app_id), None)
    for field in app.device_key if app else ():
        record = msgspec.convert({"app_id": app_id, "event_name": "launch", field: written}, Event)
        found = identify(record, app) if app else None
        if found is not None and found != written:
            return f"{app_id}|{found}"
    return None
