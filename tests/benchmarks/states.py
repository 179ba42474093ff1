"""How large the state of a device is after a realistic year: `python -m tests.benchmarks.states`.

What is assumed, per device (`KINDS`; the shares follow published retention curves of games and shops: of 100 installs
about 25 are seen again after a day and 6 after a month):

* half are tried for a day or three; a third are used for some weeks, now and then; the rest for the whole year, most
  days or every day. An active day has a number of records that is spread log-normally;
* of the records a third are launches; payments, registrations and authorizations are few; the rest are custom events of
  20 names, some frequent, most rare;
* those who stay pause once in a while for 32 to 90 days and come back: one in ten by a new install;
* 6 in 10 installs and 4 in 10 returns have a touch: publisher, campaign by name and id, a click id of 36 to 90
  characters, a site; one in two an ad group and ad, one in five an agency.

Every record goes through the fold and the stored form. Told is what is stored when the year is over, the largest that
each device had in the year, and what an average record reads and writes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.config import DAY, HOUR, SECOND, App
from schemas.record import Event, Install
from streams.attribution import fold, identity, state, users
from streams.attribution.entry import Entry, Kind
from streams.attribution.touches import Lookbacks
from streams.attribution.users import User

START = 1_767_225_600_000
YEAR = 365 * DAY
APP = App(
    id="com.example.game",
    project="example",
    platform="android",
    bundle_id="com.example.game",
    device_key=("google_aid", "os_id", "user_id"),
)
NO_PARTNERS = Lookbacks()
GOAL = 1024


class DeviceKind(NamedTuple):
    """`days`: how long it is used, from and to; `active`: the share of days that it is; `records`: the median number
    of an active day; `spread`: of its logarithm; `pauses`: a year.
    """

    name: str
    share: float
    days: tuple[int, int]
    active: float
    records: float
    spread: float
    pauses: float


KINDS = (
    DeviceKind("tried", 0.52, (1, 3), 0.9, 8, 0.8, 0.0),
    DeviceKind("casual", 0.33, (7, 150), 0.3, 5, 0.7, 1.5),
    DeviceKind("regular", 0.12, (60, 365), 0.7, 8, 0.7, 1.0),
    DeviceKind("heavy", 0.03, (180, 365), 0.95, 25, 0.5, 0.3),
)
CUSTOM = [f"event_{number}" for number in range(20)]
#: Names and their weights among the records of a day.
NAMES = {"launch": 30.0, "payment": 1.0, "registration": 0.3, "authorization": 2.0} | {
    name: 60.0 / (number + 1) / 3.6 for number, name in enumerate(CUSTOM)
}


@dataclass
class Sizes:
    """Bytes: when the year is over, the largest of each device, those that each record found, and those of users."""

    end: list[int]
    peak: list[int]
    found: list[int]
    user: list[int]


def year(dice: random.Random) -> Iterator[tuple[Kind, str, int, bool]]:
    """Kind, name, own time and whether it is the first of a visit, of each record of a device."""
    kind = dice.choices(KINDS, [one.share for one in KINDS])[0]
    began = dice.randrange(YEAR) if kind.days[1] < 365 else dice.randrange(YEAR // 2)
    over = min(began + dice.randint(*kind.days) * DAY, YEAR)
    yield "install", "install", began, True
    day, pause = began, False
    while day < over:
        if dice.random() < kind.active:
            yield from _day(dice, kind, day, pause)
            pause = False
        day += DAY
        if dice.random() < kind.pauses / 365:
            day, pause = day + dice.randint(32, 90) * DAY, True


def _day(dice: random.Random, kind: DeviceKind, day: int, returns: bool) -> Iterator[tuple[Kind, str, int, bool]]:
    count = max(1, round(dice.lognormvariate(0, kind.spread) * kind.records))
    times = sorted(day + dice.randrange(16 * HOUR) for _ in range(count))
    if returns and dice.random() < 0.1:
        yield "install", "install", times[0] - SECOND, True
        returns = False
    names = dice.choices(list(NAMES), list(NAMES.values()), k=count)
    names[0] = "launch"
    for number, (name, at) in enumerate(zip(names, times, strict=True)):
        yield "event", name, at, returns and number == 0


def touch(dice: random.Random) -> dict[str, Any]:
    """Who brought the user, as a tracker writes it."""

    def text(length: int) -> str:
        return "".join(dice.choices(string.ascii_letters + string.digits, k=length))

    fields: dict[str, Any] = {
        "publisher_name": dice.choice(("acme_ads", "north_network_int", "globex")),
        "campaign_name": f"Brand_{text(16)}",
        "campaign_id": str(dice.randrange(10**11)),
        "click_id": text(dice.randint(36, 90)),
        "touch_type": "click",
        "s_site": str(dice.randrange(10**7)),
    }
    if dice.random() < 0.5:
        fields |= {"s_adgroup_name": text(14), "s_adgroup": text(10), "s_ad_name": text(18), "s_ad": text(10)}
    if dice.random() < 0.2:
        fields["agency_name"] = "initech_media"
    if dice.random() < 0.3:
        fields["cost"] = round(dice.random() * 3, 2)
    return fields


def entry_of(dice: random.Random, number: int, kind: Kind, name: str, at: int, arrives: bool) -> Entry:
    """A record in its place."""
    share = 0.6 if kind == "install" else 0.4
    fields: dict[str, Any] = touch(dice) if arrives and dice.random() < share else {}
    fields |= {"app_id": APP.id, "id": f"{number}-{dice.random()}", "google_aid": "a", "user_id": "user-12345678"}
    record = Install(**fields) if kind == "install" else Event(event_name=name, **fields)
    entry = identity.place(record, kind, START + at, "", APP)
    assert isinstance(entry, Entry)
    return entry


def measure(devices: int, seed: int = 0) -> Sizes:
    """The sizes over so many devices."""
    sizes = Sizes([], [], [], [])
    for number in range(devices):
        dice = random.Random(f"{seed}/{number}")
        device: state.Device | None = None
        user: User | None = None
        stored, largest = b"", 0
        for place, (kind, name, at, arrives) in enumerate(year(dice)):
            entry = entry_of(dice, place, kind, name, at, arrives)
            device = state.decode(stored) if stored else None
            step = fold.fold(device, entry, APP, NO_PARTNERS)
            if step.release_at is not None:
                held = fold.release(step.device, APP, NO_PARTNERS)
                step = fold.Step(held.device, step.facts + held.facts, None)
            for fact in step.facts:
                if fact.result in ("processed", "reinstall"):
                    user, _ = users.fold(user, users.tell(fact), entry, APP)
            sizes.found.append(len(stored))
            stored = state.encode(step.device)
            largest = max(largest, len(stored))
        sizes.end.append(len(stored))
        sizes.peak.append(largest)
        if user is not None:
            sizes.user.append(len(users.encode(user)))
    return sizes


def quantiles(values: list[int]) -> dict[str, int]:
    """p50, p90, p99 and the largest."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49]), "p90": round(cuts[89]), "p99": round(cuts[98]), "max": max(values)}


def main() -> None:
    """Print the distributions."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sizes = measure(arguments.devices, arguments.seed)
    print(f"{arguments.devices:,} devices, {len(sizes.found):,} records; bytes of a state")
    print(f"{'':44}{'p50':>7}{'p90':>7}{'p99':>7}{'max':>7}")
    for what, values in (
        ("a device when the year is over", sizes.end),
        ("the largest that a device had", sizes.peak),
        ("what a record found", sizes.found),
        ("a user", sizes.user),
    ):
        print(f"{what:44}" + "".join(f"{value:7,}" for value in quantiles(values).values()))
    p99 = quantiles(sizes.end)["p99"]
    print(f"goal: p99 when the year is over at most {GOAL:,} bytes: {'met' if p99 <= GOAL else 'MISSED'}")


if __name__ == "__main__":
    main()
