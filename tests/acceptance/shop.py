"""The CDNOW shop as a main job: its configuration, what it must yield by an independent count, and a run of it on real
parts.

`python -m tests.acceptance` runs it on a whole log.
the counts.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"
APP = "com.cdnow.store"
PARTNERS = ("acme_ads", "globex", "initech")
EVENTS = ("install", "payment", "payment_ca", "first_payment", "first_payment_ca", "re_engagement")
QUIET = 30 * 86_400
LOOKBACK = 7 * 86_400

#: A postback: (derived event, delivery method, partner).
Which = tuple[str, str, str]


def postbacks() -> Iterator[Which]:
    """Each derived event at `all` for one partner, and at both other methods for every partner."""
    for event in EVENTS:
        yield event, "all", "acme_ads"
        for partner in PARTNERS:
            yield event, "network", partner
            yield event, "network_and_agency", partner


def named(postback: Which) -> str:
    """Its id."""
    return "-".join(postback).replace("_", "-")


def write_configuration(folder: Path, partner_url: str, *, prefix: str = "", grace: str = "60s") -> None:
    """The YAML of the shop, its input topics with a prefix. Each postback has a path of its own:
    /<event>/<method>/<partner>.
    """
    lines = [
        "sources:",
        f"  - {{topic: {prefix}installs, record: install}}",
        f"  - {{topic: {prefix}events, record: event}}",
        "apps:",
        f"  - {{id: {APP}, project: cdnow, platform: android, install_grace: {grace}}}",
        "partners:",
        *(f"  - {{id: {partner}, name: {partner}, max_in_flight: 200}}" for partner in PARTNERS),
        "postbacks:",
    ]
    for event, method, partner in postbacks():
        url = f"{partner_url}/{event}/{method}/{partner}?id={{event_id}}&n={{attribution_number}}&p={{publisher_name}}"
        lines += [
            f"  - id: {named((event, method, partner))}",
            f"    app: {APP}",
            f"    partner: {partner}",
            f"    event: {event}",
            f"    delivery_method: {method}",
            f'    url: "{url}"',
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.yaml").write_text("\n".join(lines) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def seconds(written: str) -> float:
    """RFC 3339 as Unix time."""
    from datetime import datetime

    return datetime.fromisoformat(written).timestamp()


def expected(installs: Path, events: Path) -> Counter[Which]:
    """How many requests each postback gets: counted from the log alone, customer by customer, knowing nothing of
    Ringback's code.
    """
    orders: dict[str, list[dict[str, Any]]] = {}
    for record in read(events):
        orders.setdefault(record["google_aid"], []).append(record)
    counts: Counter[Which] = Counter()
    for install in read(installs):
        first = (install.get("publisher_name"), install.get("agency_name"))
        current, last, paid = first, seconds(install["install_timestamp"]), False
        _count(counts, "install", first)
        for number, order in enumerate(
            sorted(orders.get(install["google_aid"], []), key=lambda o: o["event_timestamp"])
        ):
            at = seconds(order["event_timestamp"])
            if at - last > QUIET:
                named = "publisher_name" in order or "agency_name" in order
                clicked = seconds(order.get("click_timestamp", order["event_timestamp"]))
                touched = named and at - clicked <= LOOKBACK
                current = (order.get("publisher_name"), order.get("agency_name")) if touched else (None, None)
                paid = False
                _count(counts, "re_engagement", current)
            last = at
            _count(counts, "payment", first)
            _count(counts, "payment_ca", current)
            if number == 0:
                _count(counts, "first_payment", first)
            if not paid:
                _count(counts, "first_payment_ca", current)
                paid = True
    return counts


def _count(counts: Counter[Which], event: str, source: tuple[str | None, str | None]) -> None:
    publisher, agency = source
    counts[event, "all", "acme_ads"] += 1
    for partner in PARTNERS:
        if partner == publisher:
            counts[event, "network", partner] += 1
        if partner in (publisher, agency):
            counts[event, "network_and_agency", partner] += 1
