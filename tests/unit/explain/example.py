"""The history that `docs/explain.md` tells, and what the commands say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.receipt import Receipt
from streams.attribution import state
from streams.explain.listing import listing
from streams.explain.shown import device_lines, listing_lines, story_lines
from streams.explain.timeline import device_story
from tests.unit.explain.building import DAY, DEVICE, HOUR, MINUTE, SECOND, START, World, postback


def example() -> World:
    """A device that Acme brought, and that came back by Globex."""
    world = World(
        postback(id="acme-payment"),
        postback("payment_ca", id="globex-payment", partner="globex"),
        postback("first_payment", id="acme-first"),
        postback(id="acme-copy", status="shadow"),
        postback(id="globex-audit", partner="globex", delivery_method="all", status="paused"),
        postback("re_engagement", id="globex-return", partner="globex", delivery_method="all"),
        postback("install", id="acme-install"),
    )
    world.install("i-1", 0, publisher_name="acme", click_timestamp=START - 3 * HOUR)
    world.event("e-1", DAY, revenue=5)
    world.event("e-2", 40 * DAY, "launch", publisher_name="globex", click_timestamp=START + 40 * DAY - 2 * MINUTE)
    at = 52 * DAY
    world.event("e-17", at, appended=at + 2 * SECOND, revenue=9.9)
    world.event("e-17", at, appended=at + 95 * SECOND, revenue=9.9)
    world.event("e-18", 45 * DAY, appended=at + 3 * HOUR, revenue=1)
    world.decided("e-17", at + 2 * SECOND + 90)
    world.now = START + at + 4 * HOUR
    for seen in world.recorded.jobs.values():
        world.recorded.receipts += _receipts(seen.job.postback_id, seen.job.job_id, START + at + 2 * SECOND)
    return world


def _receipts(postback_id: str, job_id: str, at: int) -> list[Receipt]:
    own: dict[str, Any] = {
        "job_id": job_id, "postback_id": postback_id, "partner": postback_id.partition("-")[0], "app_id": "game",
        "event": "payment_ca" if postback_id == "globex-payment" else "payment", "record_id": "e-17",
        "next_at": None, "duration_ms": None, "address": None, "response": None, "generation": 7, "replay": False,
        "error": None, "status": None, "attempt": 1,
    }  # fmt: skip
    if postback_id == "acme-copy":
        return [
            Receipt(
                **(own | {"kind": "terminal", "outcome": "suppressed", "at": at + 140, "error": "shadow", "attempt": 0})
            )
        ]
    sent = own | {"kind": "attempt", "address": "203.0.113.7:443"}
    last = own | {"kind": "terminal", "outcome": "delivered", "status": 200}
    if postback_id == "globex-payment":
        given = {"outcome": "delivered", "status": 200, "duration_ms": 31.0, "at": at + 150}
        return [Receipt(**(sent | given)), Receipt(**(last | {"at": at + 150}))]
    first = {"outcome": "failed", "status": 503, "duration_ms": 48.0, "at": at + 170, "next_at": at + 22_400}
    second = {"outcome": "delivered", "status": 200, "duration_ms": 37.0, "at": at + 22_437, "attempt": 2}
    return [
        Receipt(**(sent | first)),
        Receipt(**(sent | second)),
        Receipt(**(last | {"at": at + 22_437, "attempt": 2})),
    ]


def blocks() -> Mapping[str, str]:
    """Command → what it says."""
    world = example()
    first, again = world.stories("e-17")
    late = world.story("e-18")
    history = world.material("").history
    device = history.device
    assert device is not None
    size = len(state.encode(device))
    shown = device_story(DEVICE, 0, device, size, world.app, (), world.now)
    both = ["1 of 2:", *story_lines(first), "", "2 of 2:", *story_lines(again)]
    return {
        "ringback explain --device 'game|abc'": "\n".join(listing_lines(listing(DEVICE, history))),
        "ringback explain e-17 --device 'game|abc'": "\n".join(both),
        "ringback explain e-18 --device 'game|abc'": "\n".join(story_lines(late)),
        "ringback state 'game|abc'": "\n".join(device_lines(shown)),
    }


if __name__ == "__main__":
    for command, text in blocks().items():
        print(f"```sh\n{command}\n```\n\n```text\n{text}\n```\n")
