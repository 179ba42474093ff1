"""The jobs of a run: the same for the same seed, but for the moment at which they are decided. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from schemas.config import DAY, SECOND
from schemas.job import Deferred, Job, Request
from streams.torture.delivery.partners import APP, PARTNERS

#: One job in so many is due later than at once, up to so much.
DELAYED = 5
LONGEST_DELAY = 20 * SECOND
#: As many devices take turns.
DEVICES = 5_000

_ATTEMPT = Deferred("macro", "attempt", (), "query")


class Order(NamedTuple):
    """A job before it is decided; `delay` in milliseconds."""

    job_id: str
    partner: str
    device: int
    delay: int


def orders(seed: int, count: int) -> Iterator[Order]:
    """So many of them, those of all partners mixed."""
    rng = random.Random(f"orders {seed}")
    names, shares = tuple(PARTNERS), tuple(one.share for one in PARTNERS.values())
    for number in range(count):
        delay = rng.randrange(1, LONGEST_DELAY) if rng.randrange(DELAYED) == 0 else 0
        (partner,) = rng.choices(names, shares)
        yield Order(f"{rng.getrandbits(96):024x}{number:08x}", partner, rng.randrange(DEVICES), delay)


def decided(order: Order, url: str, generation: int, now: int) -> Job:
    """The job. The partner sees the attempt that it is in its query."""
    traits = PARTNERS[order.partner]
    return Job(
        job_id=order.job_id,
        postback_id=f"{order.partner}-install",
        partner=order.partner,
        app_id=APP,
        event="install",
        record_id=order.job_id[-8:],
        device_key=f"{APP}|device-{order.device}",
        generation=generation,
        decided_at=now,
        due_at=now + order.delay,
        max_age=traits.max_age,
        retry_attempts=traits.retry_attempts,
        request=Request("GET", (f"{url.rstrip('/')}/{order.partner}?attempt=", _ATTEMPT)),
        day=now // DAY,
    )
