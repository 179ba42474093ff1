"""From a record's name to the derived events that are due: the table of `events`, made ready for each name."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from . import events
from .facts import Derived
from .marks import mark, place
from .state import Attribution, Device

#: Names of custom events are free text. Only this many of at most this length are kept ready.
_READY_NAMES = 4096
_READY_LENGTH = 200


class Due(msgspec.Struct, frozen=True, gc=False):
    """A row for one name: the derived event, whether it is a first and of what, and what it goes by."""

    event: str
    of_lifetime: bool
    of_period: bool
    of_day: bool
    by_current: bool
    mask: int


class Plan(msgspec.Struct, frozen=True):
    """What a name means: which derived events may be due, and what it does to the windows.

    `always` are those of `due` that fire every time; when all bits of `mask` are used up (0: there is more to look at),
    or, `by_name`, the name is, no first is left to fire. `mark` stands for the name among the used firsts, if it is a
    custom event's. `of_user` are the masks of the firsts in a user's lifetime, by derived event.
    """

    due: tuple[Due, ...]
    always: tuple[Due, ...]
    mask: int
    by_name: bool
    mark: bytes
    is_activity: bool
    is_web_visit: bool
    has_sessions: bool
    of_user: tuple[tuple[str, int], ...]


def plan_of(name: str, platform: str) -> Plan:
    """The plan of an event's name (no alias) in an app of this platform."""
    return _ready(name, platform) if len(name) <= _READY_LENGTH else _plan(name, events.family_of(name), platform)


@lru_cache(_READY_NAMES)
def _ready(name: str, platform: str) -> Plan:
    return _plan(name, events.family_of(name), platform)


def _plan(name: str, family: str, platform: str) -> Plan:
    rows = [row for row in events.TABLE if row.family == family and platform in row.platforms]
    due = tuple(
        Due(
            event=row.name.replace(events.NAME, name),
            of_lifetime=row.fires is events.Fires.LIFETIME,
            of_period=row.fires is events.Fires.PERIOD,
            of_day=row.fires is events.Fires.DAILY,
            by_current=row.goes_by == "current",
            mask=0 if row.bit is None else 1 << row.bit,
        )
        for row in rows
        if "device" in row.scopes
    )
    firsts = [row for row in rows if "user" in row.scopes and row.bit is not None]
    limited = [one for one in due if one.of_lifetime or one.of_period]
    mask = 0
    if all(one.mask for one in limited):
        for one in limited:
            mask |= one.mask
    return Plan(
        due=due,
        always=tuple(one for one in due if not (one.of_lifetime or one.of_period or one.of_day)),
        mask=mask,
        by_name=bool(limited) and not any(one.mask for one in limited),
        mark=mark(name),
        is_activity=name in events.ACTIVITIES,
        is_web_visit=platform == "web" and name in events.WEB_VISITS,
        has_sessions=any(one.of_day for one in due),
        of_user=tuple((row.name, 1 << row.bit) for row in firsts if row.bit is not None),
    )


#: What befalls a device fires like a record, but is none: no incoming event can have such a family.
_BEFALLS = {
    (family, platform): _plan(family, family, platform)
    for family in ("install", "re_install", "re_engagement")
    for platform in events.EVERYWHERE
}


def befall(family: str, platform: str) -> Plan:
    """The plan of an `install`, a `re_install` or a `re_engagement`."""
    return _BEFALLS[family, platform]


def fire(plan: Plan, device: Device, period: Attribution, derived: list[Derived], claim: bool = False) -> None:
    """Add the derived events that are due in a period of the device, and use up the firsts among them."""
    first = device.attributions[0]
    if _are_used_up(plan, device, period):
        for due in plan.always:
            derived.append(Derived(due.event, period if due.by_current else first, claim))
        return
    for due in plan.due:
        if due.of_lifetime:
            if not (_use_bits(device, due.mask) if due.mask else _use_name(device, plan.mark)):
                continue
        elif due.of_period:
            if not (_use_bits(period, due.mask) if due.mask else _use_name_in(period, device, plan.mark)):
                continue
        elif due.of_day:
            continue  # `sessions` judges it, attribution by attribution
        derived.append(Derived(due.event, period if due.by_current else first, claim))


def _are_used_up(plan: Plan, device: Device, period: Attribution) -> bool:
    """Whether none of the plan's firsts is left. Mostly so: a device has each of them once."""
    if plan.mask:
        return device.firsts & period.firsts & plan.mask == plan.mask
    if not plan.by_name:
        return False
    at = place(device.names, plan.mark)
    return 0 <= at < 8 * len(period.names) and bool(period.names[at // 8] >> at % 8 & 1)


def _use_bits(owner: Device | Attribution, mask: int) -> bool:
    unused = not owner.firsts & mask
    owner.firsts |= mask
    return unused


def _use_name(device: Device, name: bytes) -> bool:
    if place(device.names, name) >= 0:
        return False
    device.names += name
    return True


def _use_name_in(period: Attribution, device: Device, name: bytes) -> bool:
    """The first of a lifetime comes before that of a period in the table: the device has the name by now."""
    bit = 1 << place(device.names, name)
    used = int.from_bytes(period.names, "little")
    if used & bit:
        return False
    used |= bit
    period.names = used.to_bytes((used.bit_length() + 7) // 8, "little")
    return True
