"""A record as Kafka holds it."""

from __future__ import annotations

from typing import NamedTuple

from schemas.config import Source


class Lying(NamedTuple):
    """Where the engine has read a record that lay elsewhere before: in the internal topic of a rekeyed source."""

    topic: str
    partition: int
    offset: int


class Raw(NamedTuple):
    """`appended`: its Kafka timestamp, milliseconds.

    Of a rekeyed source everything is as it was in the user's topic, and `lies` is where the record was read.
    """

    topic: str
    partition: int
    offset: int
    appended: int
    key: bytes | None
    value: bytes | None
    source: Source
    lies: Lying | None = None
