"""What the workers are fed with: installs and events of devices that share users, without an end, the same for the same
seed. Their own times lie some years back and owe nothing to any clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec

from schemas.config import DAY, HOUR, MINUTE

ANDROID, IOS = "com.example.torture", "com.example.torture.ios"
APPS = {ANDROID: "google_aid", IOS: "ios_ifv"}
PUBLISHERS = ("acme", "globex", "initech", None)
AGENCY = "northwind"
#: So many devices take turns; each has so many records, then another one comes in its place.
DEVICES = 300
RECORDS = 120
#: The own times begin within a year from here: 2018-01-01.
START = 1_514_764_800_000
SECOND = 1_000

#: What a device does, and how often, of all that it does.
DEEDS: dict[str, int] = {
    "launch": 36,
    "payment": 14,
    "level_up": 14,
    "authorization": 8,
    "registration": 5,
    "custom_payment": 5,
    "install": 4,
    "duplicate": 6,
    "late": 5,
    "too_late": 3,
}
#: How long after the one before, and how often: now and then longer than any inactivity window.
STEPS: dict[int, int] = {0: 5, 40 * SECOND: 30, 20 * MINUTE: 30, 9 * HOUR: 20, 2 * DAY: 12, 34 * DAY: 3}
#: One bad record in so many.
BAD = 90
Flaw = Literal["cut", "no app", "no identifier", "no event", "foreign app", "ancient", "null", "not an object"]
FLAWS: tuple[Flaw, ...] = (
    "cut", "no app", "no identifier", "no event", "foreign app", "ancient", "null", "not an object",
)  # fmt: skip
#: So many of its last records a device may send again.
REMEMBERED = 12

_encode = msgspec.json.Encoder().encode


class Fed(NamedTuple):
    """A record to produce, with the device key as its Kafka key."""

    kind: Literal["install", "event"]
    key: bytes
    value: bytes | None


@dataclass(slots=True)
class _Device:
    """`before`: so many records come before its install; None: there is none."""

    number: int
    key: bytes
    fields: dict[str, Any]
    users: tuple[str, ...]
    at: int
    before: int | None
    count: int = 0
    sent: list[Fed] = field(default_factory=list)


def history(seed: int) -> Iterator[Fed]:
    """Records in the order in which they are produced. It never ends."""
    rng = random.Random(f"history {seed}")
    devices = [_device(rng, number) for number in range(DEVICES)]
    born = DEVICES
    while True:
        place = rng.randrange(DEVICES)
        device = devices[place]
        yield _bad(rng, device) if rng.randrange(BAD) == 0 else _next(rng, device)
        if device.count >= RECORDS:
            devices[place] = _device(rng, born)
            born += 1


def _device(rng: random.Random, number: int) -> _Device:
    app = rng.choice(tuple(APPS))
    identity = f"{rng.getrandbits(64):016x}-{number}"
    named = APPS[app]
    # Two devices belong to one person, and now and then the other of two persons has it in hand.
    users = (f"u{number // 2}", f"u{number // 2 + 1}") if rng.random() < 0.8 else ()
    before = rng.choice((0, 0, 0, 0, 0, 1, 2, 4, None))
    fields = {"app_id": app, named: identity, "platform": "android" if app == ANDROID else "ios"}
    return _Device(number, f"{app}|{identity}".encode(), fields, users, START + rng.randrange(365 * DAY), before)


def _next(rng: random.Random, device: _Device) -> Fed:
    device.count += 1
    if device.before == device.count - 1:
        return _record(rng, device, "install", _passed(rng, device))
    deed = rng.choices(tuple(DEEDS), tuple(DEEDS.values()))[0]
    if deed == "duplicate" and device.sent:
        return rng.choice(device.sent)
    if deed == "late":
        return _record(rng, device, "payment", device.at - rng.randrange(DAY))
    if deed == "too_late":
        return _record(rng, device, "launch", device.at - rng.randrange(3 * DAY, 50 * DAY))
    if deed == "install" and device.before is None:
        deed = "launch"
    return _record(rng, device, "launch" if deed == "duplicate" else deed, _passed(rng, device))


def _passed(rng: random.Random, device: _Device) -> int:
    """Time goes by for the device."""
    step = rng.choices(tuple(STEPS), tuple(STEPS.values()))[0]
    device.at += step + rng.randrange(step // 2 + 1)
    return device.at


def _record(rng: random.Random, device: _Device, name: str, at: int) -> Fed:
    kind: Literal["install", "event"] = "install" if name == "install" else "event"
    record = {**device.fields, "id": f"{device.number}-{device.count}", "event_name": name, f"{kind}_timestamp": at}
    if device.users and rng.random() < 0.9:
        record["user_id"] = device.users[rng.random() < 0.1]
    if name in ("payment", "custom_payment"):
        record |= {"revenue": rng.randrange(99, 9_999) / 100, "currency": "USD"}
    if kind == "install" or rng.random() < 0.15:
        record |= _touch(rng, device, at)
    fed = Fed(kind, device.key, _encode(record))
    device.sent = [*device.sent[1 - REMEMBERED :], fed]
    return fed


def _touch(rng: random.Random, device: _Device, at: int) -> dict[str, Any]:
    publisher = rng.choice(PUBLISHERS)
    if publisher is None:
        return {}
    touch = {
        "publisher_name": publisher,
        "campaign_id": f"c{rng.randrange(3)}",
        "click_id": f"k{device.number}-{device.count}",
        "touch_type": rng.choice(("click", "click", "impression")),
        "click_timestamp": at - rng.choice((MINUTE, HOUR, 20 * HOUR, 5 * DAY, 9 * DAY)),
    }
    return touch | ({"agency_name": AGENCY} if rng.random() < 0.3 else {})


def _bad(rng: random.Random, device: _Device) -> Fed:
    """A record that nobody can use."""
    record = {
        **device.fields,
        "id": f"bad-{rng.getrandbits(48):x}",
        "event_name": "launch",
        "event_timestamp": device.at,
    }
    value = _flawed(rng.choice(FLAWS), record)
    return Fed(rng.choice(("install", "event")), device.key, value)


def _flawed(flaw: Flaw, record: dict[str, Any]) -> bytes | None:
    leaves_out: dict[str, tuple[str, ...]] = {
        "no app": ("app_id",),
        "no identifier": tuple(APPS.values()),
        "no event": ("event_name",),
    }
    puts: dict[str, dict[str, Any]] = {
        "foreign app": {"app_id": "com.example.unknown"},
        "ancient": {"event_timestamp": 1},
    }
    whole: dict[str, bytes | None] = {"null": None, "not an object": b"[]", "cut": _encode(record)[:-9]}
    if flaw in whole:
        return whole[flaw]
    record = record | puts.get(flaw, {})
    return _encode({name: value for name, value in record.items() if name not in leaves_out.get(flaw, ())})
