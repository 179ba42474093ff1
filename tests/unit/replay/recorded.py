"""Recorded input for tests of the replay: devices that share users, in two topics."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from schemas.config import DAY, HOUR, MINUTE, App, Configuration, Endpoint, Partner, Postback, Source
from streams.engine.raw import Raw
from streams.kafka import partition_of

PARTITIONS = 3
START = 1_767_323_045_000

INSTALLS = Source(topic="installs", record="install")
EVENTS = Source(topic="events", record="event")

GAME = App(id="game", project="p", platform="android", bundle_id="game", device_key=("os_id",))


def postback(name: str, event: str, url: str = "", **fields: Any) -> Postback:
    endpoint = Endpoint(url=url or f"https://acme.example/{name}?c={{click_id}}&u={{user_id}}")
    return Postback(id=name, title=name, app="game", partner="acme", event=event, endpoint=endpoint, **fields)


POSTBACKS = (
    postback("install", "install"),
    postback("payment", "payment", delivery_method="all"),
    postback("first", "first_payment", delivery_method="all"),
    postback("again", "re_engagement", delivery_method="all"),
    postback("new", "new_user", delivery_method="all", scope="user"),
    postback("user-first", "first_payment", delivery_method="all", scope="user"),
    postback("user-again", "re_engagement_user", delivery_method="all", scope="user"),
)


def configuration(*postbacks: Postback, sources: tuple[Source, ...] = (EVENTS, INSTALLS)) -> Configuration:
    """One app and one partner, with these postbacks."""
    partner = Partner(id="acme", name="Acme")
    return Configuration(
        generation=1, sources=sources, apps=(GAME,), partners=(partner,), postbacks=postbacks or POSTBACKS
    )


def recorded(seed: int, count: int = 400, partitions: int = PARTITIONS) -> dict[int, list[Raw]]:
    """Records by partition, in offset order for each topic: installs, payments, launches, absences; some events before
    their installs, some without any.
    """
    rng = random.Random(seed)
    lying: dict[int, list[Raw]] = {number: [] for number in range(partitions)}
    offsets: Counter[tuple[str, int]] = Counter()
    at = START
    for number in range(count):
        at += rng.choice((0, 1, MINUTE // 4, HOUR, DAY // 2))
        device = f"d{rng.randrange(count // 8)}"
        fields: dict[str, Any] = {"app_id": "game", "os_id": device, "id": f"r{number}"}
        if rng.random() < 0.8:
            fields["user_id"] = f"u{rng.randrange(count // 10)}"
        source = INSTALLS if rng.random() < 0.3 else EVENTS
        if source is EVENTS:
            fields |= {"event_name": rng.choice(("payment", "launch", "level")), "event_timestamp": at}
        if rng.random() < 0.5:
            fields |= {"publisher_name": rng.choice(("acme", "other")), "click_id": f"c{number}"}
        key = f"game|{device}".encode()
        partition = partition_of(key, partitions)
        offset = offsets[source.topic, partition]
        offsets[source.topic, partition] += 1
        value = json.dumps(fields).encode()
        lying[partition].append(Raw(source.topic, partition, offset, at, key, value, source))
    return lying
