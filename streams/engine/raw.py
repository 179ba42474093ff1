"""A record as Kafka holds it."""

from __future__ import annotations

from typing import NamedTuple

from schemas.config import Source


class Raw(NamedTuple):
    """`appended`: its Kafka timestamp, milliseconds."""

    topic: str
    partition: int
    offset: int
    appended: int
    key: bytes | None
    value: bytes | None
    source: Source
