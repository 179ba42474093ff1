"""The traffic of the demo: records of some months of a mobile game, in the order in which they reach Kafka."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from streams.demo.stories import SPAN, Cast, Draft, story


class Planned(NamedTuple):
    """A record to produce: to the topic of installs or of events, with the device key as its Kafka key."""

    kind: Literal["install", "event"]
    key: bytes
    value: bytes


class Model(NamedTuple):
    """What a device says of itself."""

    device_brand: str
    device_model: str
    os_version: str


MODELS: dict[str, tuple[Model, ...]] = {
    "android": (Model("Google", "Pixel 9", "16"), Model("Samsung", "SM-S931B", "15"), Model("Xiaomi", "2311D", "14")),
    "ios": (Model("Apple", "iPhone17,1", "18.6"), Model("Apple", "iPhone14,5", "17.7")),
}
#: Country, language, and the network of its addresses (those that are kept for documentation).
PLACES = (("DE", "de-DE", "192.0.2"), ("US", "en-US", "198.51.100"), ("BR", "pt-BR", "203.0.113"))
APPS = {"android": "com.example.puzzle", "ios": "com.example.puzzle.ios"}

#: One bad record after so many devices: about 1 % of the records.
DEVICES_PER_BAD = 12
#: What is wrong with the bad ones, in turn: half of it is missing, the event's name is, its app is not configured.
Flaw = Literal["cut", "incomplete", "foreign"]
FLAWS: tuple[Flaw, ...] = ("cut", "incomplete", "foreign")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Device:
    """A device and what all its records say."""

    platform: str
    key: bytes
    fields: Mapping[str, Any]


class _Draft(NamedTuple):
    """A draft with its place in the order: when it is produced; `flaw`: what is wrong with it."""

    arrives: int
    device: _Device
    draft: Draft
    id: str
    flaw: Flaw | None = None


def plan(seed: int, count: int, end: int) -> Iterator[Planned]:
    """`count` records, the same for the same arguments. `end`: milliseconds, the own time of the newest of them, so
    that none lies in the future when it is now.

    They span about `SPAN` of event time, however many they are: with more records there are more devices. Some come
    twice, late or too late, before their install, without one, or cannot be read.
    """
    drafts: list[_Draft] = []
    rng = random.Random(seed)
    cast = Cast(rng)
    devices = 0
    while len(drafts) < count:
        drafts += _of_device(cast, devices)
        devices += 1
        if devices % (DEVICES_PER_BAD + 1) == DEVICES_PER_BAD:
            drafts.append(_bad(cast, devices))
            devices += 1
    del drafts[count:]
    if not drafts:
        return
    shift = end - max(one.draft.at for one in drafts)
    for one in sorted(drafts, key=lambda one: one.arrives):
        yield _planned(one, shift)


def _of_device(cast: Cast, number: int) -> list[_Draft]:
    """The records of a new device. A record that is sent again has the id that it had."""
    device = _new_device(cast, number)
    ids: dict[tuple[str, int], str] = {}
    drafts = []
    for draft in story(cast, device.platform):
        # A millisecond is enough to tell the records of a device from each other.
        name = ids.setdefault((draft.kind, draft.at), f"{draft.kind[0]}-{number}-{len(ids) + 1}")
        drafts.append(_Draft(draft.at + draft.lag, device, draft, name))
    return drafts


def _new_device(cast: Cast, number: int) -> _Device:
    rng = cast.rng
    platform = cast.platform.deal()
    identity = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    country, language, network = rng.choice(PLACES)
    model = rng.choice(MODELS[platform])
    app = APPS[platform]
    fields = {
        "app_id": app,
        "platform": platform,
        # iOS writes its identifiers in capitals; the device key has them in lower case.
        **({"google_aid": identity} if platform == "android" else {"ios_ifv": identity.upper()}),
        # One player in seven has the device before as well, perhaps of the other platform.
        **({"user_id": f"player-{number - (number % 7 == 6)}"} if rng.random() < 0.5 else {}),
        "country_code": country,
        "language": language,
        "ip": f"{network}.{rng.randint(1, 254)}",
        "app_version": "2.4.0",
        **model._asdict(),
    }
    return _Device(platform, f"{app}|{identity}".encode(), fields)


def _bad(cast: Cast, number: int) -> _Draft:
    """A record that nobody can use."""
    at = cast.within(0, SPAN * 9 // 10)
    flaw = FLAWS[number // (DEVICES_PER_BAD + 1) % len(FLAWS)]
    return _Draft(at, _new_device(cast, number), Draft("event", at, {"event_name": "launch"}), f"e-{number}-1", flaw)


def _planned(one: _Draft, shift: int) -> Planned:
    draft, device = one.draft, one.device
    record: dict[str, Any] = {"id": one.id, **device.fields, **draft.fields}
    record[f"{draft.kind}_timestamp"] = _written(draft.at + shift, device.platform)
    if draft.clicked is not None:
        record["click_timestamp"] = _written(draft.clicked + shift, device.platform)
    if one.flaw == "incomplete":
        del record["event_name"]
    elif one.flaw == "foreign":
        record["app_id"] = "com.example.other"
    value = _encode(record)
    return Planned(draft.kind, device.key, value[: len(value) // 2] if one.flaw == "cut" else value)


def _written(at: int, platform: str) -> str | int:
    """A time as the platform's library writes it."""
    if platform == "ios":
        return at
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at % 1_000:03}Z"
