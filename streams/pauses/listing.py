"""What keeps partners and postbacks from being called at a moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from schemas.config import Configuration
from schemas.control import Control, Records, Target

#: The reason of what the configuration itself says.
CONFIGURED = "status: paused, in the configuration"


class Row(NamedTuple):
    """One pause or hold. `until`, `since`: milliseconds; None: until it is resumed, and it is not known since when.
    `configured`: the target is there today.
    """

    target: Target
    state: Literal["paused", "held"]
    until: int | None
    since: int | None
    reason: str
    configured: bool


def in_force(records: Records, configuration: Configuration | None, now: int) -> list[Row]:
    """Pauses and holds at `now`, partners first, by name."""
    return sorted(_rows(records, configuration, now), key=lambda row: (row.target, row.state != "paused"))


def _rows(records: Records, configuration: Configuration | None, now: int) -> Iterator[Row]:
    partners = {partner.id for partner in configuration.partners} if configuration else set()
    postbacks = {postback.id for postback in configuration.postbacks} if configuration else set()
    for target in records.targets():
        there = target.id in (partners if target.kind == "partner" else postbacks)
        for control in records.parts(target).values():
            if control.paused:
                yield Row(target, "paused", None, control.since, control.reason, there)
            if is_held(control, now):
                yield Row(target, "held", control.hold_until, control.since, control.reason, there)
    for target in configured_pauses(configuration):
        yield Row(target, "paused", None, None, CONFIGURED, True)


def configured_pauses(configuration: Configuration | None) -> list[Target]:
    """The postbacks that the configuration itself pauses."""
    found = configuration.postbacks if configuration else ()
    return [Target("postback", one.id) for one in found if one.status == "paused"]


def is_held(control: Control | None, now: int) -> bool:
    """Whether a hold is in force."""
    return control is not None and (control.hold_until or 0) > now
