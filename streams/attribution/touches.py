"""Touches: who brought the user, and which of them count (contract §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Self

import msgspec

from schemas.config import DAY, HOUR, MINUTE, Partner
from schemas.record import TOUCH_FIELDS
from schemas.touch import Touch

from .entry import Entry

#: How long before the record a click and an impression count, when the publisher is no partner of ours.
DEFAULT_LOOKBACKS = (7 * DAY, 24 * HOUR)

#: A touch may lie this much after the record: clocks differ.
SKEW = 5 * MINUTE


class Lookbacks(msgspec.Struct, frozen=True):
    """The lookbacks (click, impression) of each publisher, by each name it has in the records."""

    by_name: Mapping[str, tuple[int, int]] = {}

    @classmethod
    def of(cls, partners: Iterable[Partner]) -> Self:
        """The partners' lookbacks, each by its id and its aliases."""
        return cls(
            {
                name: (partner.click_lookback, partner.impression_lookback)
                for partner in partners
                for name in (partner.id, *partner.aliases)
            }
        )


_TIME = TOUCH_FIELDS.index("click_timestamp")
_fields = attrgetter(*TOUCH_FIELDS)


def eligible_touch(entry: Entry, lookbacks: Lookbacks) -> Touch | None:
    """The record's touch, if it names somebody and its time lies inside the lookback; None: organic."""
    record = entry.record
    publisher = record.publisher_name
    if not publisher and not record.agency_name:
        return None
    at = entry.at if entry.clicked is None else entry.clicked
    click, impression = lookbacks.by_name.get(publisher or "", DEFAULT_LOOKBACKS)
    lookback = impression if record.touch_type == "impression" else click
    if at > entry.at + SKEW or entry.at - at > lookback:
        return None
    values: list[Any] = list(_fields(record))
    values[_TIME] = at
    return Touch(*values)
