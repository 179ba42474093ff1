"""What the device stage tells the user stage (contract §2, the users topic): a record that carries a user id, with the
attributions of its device.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .touch import Touch


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An attribution as it was when the record was processed: its number, when it started (own time) and the number of
    the reason for it, and its touch (None: organic).
    """

    number: int
    start: int
    reason: int
    touch: Touch | None = None


class UserRecord(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One input record of a user, after its device has processed it. The Kafka key is `<project>|<user_id>`.

    `record` is the `schemas.record.Install` or `Event` as JSON, its identifiers normalised; it is not looked at before
    a postback is due. The other fields are those of `streams.attribution.entry.Entry`. `first` is the device's first
    attribution, `current` the one the record lies in (None: the first). `installed_at` is the own time of the device's
    install, if one is known. `reinstall`: it is one, and as for its device it is not the user's newest record.
    `worker` is the id of the worker that told it (empty: written before there was one): a worker under a new id tells
    everything anew, and must not count it together with what the old one has told.
    """

    app_id: str
    user_id: str
    kind: Literal["install", "event"]
    id: str
    name: str
    at: int
    appended: int
    device_key: str
    device_id: str
    first: Origin
    record: msgspec.Raw
    current: Origin | None = None
    clicked: int | None = None
    installed_at: int | None = None
    reinstall: bool = False
    worker: str = ""
