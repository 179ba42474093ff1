"""An input record that has found its device: what the fold works on."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.record import Event, Install

Kind = Literal["install", "event"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record with everything about it that is not in its fields, or not in a form to work with.

    `id` is the record's own or the derived one, `name` its event's name without aliases, `at` its own time,
    `appended` its Kafka timestamp, `clicked` the time of its touch as written (None: it has none, then it is `at`).
    `device_id` is the identifier that leads to the device, `device_key` that with the app. The record's identifiers
    are normalised.
    """

    record: Install | Event
    kind: Kind
    id: str
    name: str
    at: int
    appended: int
    device_key: str
    device_id: str
    clicked: int | None = None


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a record has no entry: `reason` is a key of `schemas.dead_letter.REASONS`, `detail` names the field."""

    reason: str
    detail: str
