"""What is done to the senders, and in which order: a pure function of the seed and of the counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from streams.delivery.faults import COMMIT, COMMIT_STEPS, REQUEST, REQUEST_STEPS
from streams.torture.schedule import AWAY, BrokerRestart, Death, Deaths, Incident, Join, with_leaves

#: The steps, each with the latest time at which it is fatal: of a request, and of the transactions that settle.
PLACES = {f"{REQUEST}/{step}": 400 for step in REQUEST_STEPS} | {f"{COMMIT}/{step}": 12 for step in COMMIT_STEPS}
#: A kill from outside comes within so many seconds.
WITHIN = 4.0
#: How many die in one round.
AT_ONCE = (1, 1, 2)


class Counts(NamedTuple):
    """What there is to be done to so many `senders`."""

    kills: int = 10
    rebalances: int = 5
    broker_restarts: int = 2
    senders: int = 2


def schedule(seed: int, counts: Counts, part: int) -> tuple[Incident, ...]:
    """All incidents in their order; the same for the same arguments. `part`: so many jobs come with each."""
    rng = random.Random(f"delivery {seed}")
    incidents: list[Incident] = list(_rounds(rng, counts, part))
    incidents += [Join()] * counts.rebalances
    incidents += [
        BrokerRestart(AWAY[(number + 1) % len(AWAY)], abrupt=number % 2 == 1)
        for number in range(counts.broker_restarts)
    ]
    rng.shuffle(incidents)
    return tuple(with_leaves(incidents))


def places(rng: random.Random, kills: int) -> list[str]:
    """Where the senders die: at each step once as far as there are kills for it, the rest from outside (empty)."""
    steps = rng.sample(tuple(PLACES), min(len(PLACES), kills - kills // 4))
    found = steps + [""] * (kills - len(steps))
    rng.shuffle(found)
    return found


def _rounds(rng: random.Random, counts: Counts, part: int) -> Iterator[Deaths]:
    left = places(rng, counts.kills)
    while left:
        size = min(rng.choice(AT_ONCE), counts.senders, len(left))
        slots = rng.sample(range(counts.senders), size)
        # A sender has its share of the jobs, of which some are the limited partner's, or due later.
        yield Deaths(tuple(_death(rng, slot, left.pop(), part // (3 * counts.senders)) for slot in slots))


def _death(rng: random.Random, slot: int, place: str, most: int) -> Death:
    if not place:
        return Death(slot, after=rng.uniform(0.0, WITHIN))
    latest = min(PLACES[place], max(1, most)) if place.startswith(REQUEST) else PLACES[place]
    # However large a part is, the schedule is otherwise the same.
    return Death(slot, place, 1 + int(rng.random() * latest))
