"""Where a record of a file goes: read as the worker will read it, and keyed by its device."""

from __future__ import annotations

from schemas.config import App, Configuration, Source
from schemas.record import IDENTIFIERS, Event, Install
from streams.attribution import entry, identity
from streams.config.models import DEVICE_KEYS
from streams.sources.decode import Decoder, Rejected


class Placer:
    """Finds the Kafka key of a source's records.

    The order of identifiers is the app's in `configuration`; before the first apply (None) it is the default of the
    record's platform.
    """

    def __init__(self, source: Source, configuration: Configuration | None, max_record_bytes: int) -> None:
        self._decoder = Decoder(source, max_record_bytes)
        self._kind = source.record
        self._apps = {app.id: app for app in configuration.apps} if configuration else None
        self._defaults: dict[tuple[str, str | None], App] = {}

    def key(self, value: bytes, now: int) -> str | Rejected:
        """The device key of a record that is appended `now` (ms), or why the worker would refuse it."""
        record = self._decoder.decode(value)
        if isinstance(record, Rejected):
            return record
        app = self._default(record) if self._apps is None else self._apps.get(record.app_id)
        if app is None:
            return Rejected("unknown_app", f"app_id: {record.app_id!r} is not in the live configuration")
        placed = identity.place(record, self._kind, now, "", app)
        if isinstance(placed, entry.Rejection):
            return Rejected(placed.reason, placed.detail)
        return placed.device_key

    def _default(self, record: Install | Event) -> App:
        known = (record.app_id, record.platform)
        if (app := self._defaults.get(known)) is None:
            order = DEVICE_KEYS.get(record.platform or "", IDENTIFIERS)
            app = App(id=record.app_id, project="", platform="android", bundle_id="", device_key=order)
            self._defaults[known] = app
        return app
