"""Random histories of a device, dense where it matters: at the edges of the windows, late, twice."""

from __future__ import annotations

import random
from typing import Any

from schemas.config import DAY, HOUR, MINUTE, SECOND
from streams.attribution.entry import Entry
from tests.unit.attribution.timeline import Timeline

#: All records are appended long after their own times, as from a backlog.
APPENDED = 100_000 * DAY

STEPS = (0, 1, MINUTE, HOUR, 3 * HOUR, 4 * HOUR, 9 * HOUR, 10 * HOUR - 1, 10 * HOUR, 10 * HOUR + 1, 30 * HOUR)
BEHIND = (0, 0, 0, 0, 1, MINUTE, HOUR, 3 * HOUR, 4 * HOUR, 4 * HOUR + 1, 11 * HOUR, 30 * HOUR)
WAITS = (0, 0, 1, 10 * SECOND, MINUTE, MINUTE + 1, HOUR)
NAMES = (
    "launch",
    "launch",
    "payment",
    "payment",
    "visit",
    "registration",
    "custom_payment",
    "coins",
    "gems",
    "uninstall",
)
SOURCES = (None, None, "acme", "globex/initech", "quick", "/initech")
CLICKS = (None, None, 0, HOUR, HOUR + 1, 7 * DAY, 7 * DAY + 1, -5 * MINUTE, -5 * MINUTE - 1)


def timeline(dice: random.Random) -> Timeline:
    """A device of an app with small windows."""
    return Timeline(
        dice.choice(("android", "android", "ios", "web")),
        hold_limit=dice.choice((2, 5, 1000)),
        inactivity_window=10 * HOUR,
        dedup_window=dice.choice((4 * HOUR, 40 * HOUR)),
        claim_window=dice.choice((3 * HOUR, 12 * HOUR)),
        install_grace=dice.choice((0, MINUTE, MINUTE, 12 * HOUR)),
        reattribute_to_organic=dice.random() < 0.7,
    )


def history(dice: random.Random, device: Timeline, length: int, repeats: float = 0.1) -> list[Entry]:
    """Entries in the order of their append times; `repeats` of them are duplicates."""
    entries: list[Entry] = []
    own, appended = 0, APPENDED
    installs = dice.choice((0.05, 0.3))
    while len(entries) < length:
        appended += dice.choice(WAITS)
        if entries and dice.random() < repeats:
            entries.append(again(dice.choice(entries), appended, device))
            continue
        own += dice.choice(STEPS)
        at = own - dice.choice(BEHIND)
        fields: dict[str, Any] = {"appended": appended, "touch_type": dice.choice((None, None, "click", "impression"))}
        click = dice.choice(CLICKS)
        if click is not None:
            fields["click"] = at - click
        kind = "install" if dice.random() < installs else "event"
        name = "install" if kind == "install" else dice.choice(NAMES)
        entries.append(device.entry(kind, name, at, dice.choice(SOURCES), fields))  # type: ignore[arg-type]
    return entries


def again(entry: Entry, appended: int, device: Timeline) -> Entry:
    """The same record, appended a second time."""
    moved = device.entry("event", "x", 0, None, {"appended": appended}).appended
    return Entry(
        entry.record,
        entry.kind,
        entry.id,
        entry.name,
        entry.at,
        moved,
        entry.device_key,
        entry.device_id,
        entry.clicked,
    )
