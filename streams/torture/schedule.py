"""What is done to the workers, and in which order: a pure function of the seed and of the counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from streams.engine.faults import STEPS
from streams.engine.stages import STAGES

#: Every named step of the checkpoint protocol, in both stages, as a fault point is named.
PLACES = tuple(f"{stage}/{step}" for stage in STAGES for step in STEPS)
#: Each of them is hit so often, when there are kills enough.
EACH = 2
#: Steps that a worker may pass only once for a partition that it is given, not once for each batch.
AT_RECOVERY = ("barrier", "recovering", "recovered")
#: A kill from outside comes within so many seconds; a batch step is fatal at latest at the so manieth time.
WITHIN = 8.0
LATEST = 6
#: How many workers die in one round.
AT_ONCE = (1, 2, 2, 2, 2)
#: How long (seconds) the broker is away: a moment, or longer than sessions and transactions last.
AWAY = (0.0, 3.0, 13.0)


class Counts(NamedTuple):
    """What there is to be done. `kills` of workers, by -9; `wipes`: so many of the dead find their state directory
    deleted; `rebalances`: workers added and taken away again; `standstills`: all workers stopped for `standstill`
    seconds. `workers`: how many run.
    """

    kills: int = 50
    zombies: int = 5
    wipes: int = 10
    rebalances: int = 10
    broker_restarts: int = 3
    standstills: int = 1
    standstill: float = 6.0
    workers: int = 2


class Death(NamedTuple):
    """Of the worker in a slot. `place`: the step at which it dies, the `nth` time that it comes there; empty: it is
    killed from outside, `after` so many seconds. `wiped`: its state directory is deleted then.
    """

    slot: int
    place: str = ""
    nth: int = 1
    after: float = 0.0
    wiped: bool = False


class Deaths(NamedTuple):
    """A round of deaths; when all have died they are started again."""

    victims: tuple[Death, ...]


class Zombie(NamedTuple):
    """The worker in a slot stands still until others have all its partitions, and `after` seconds more."""

    slot: int
    after: float


class Join(NamedTuple):
    """A worker more."""


class Leave(NamedTuple):
    """It goes again, in order."""


class BrokerRestart(NamedTuple):
    """The broker goes, by -9 or in order, and comes back after so many seconds."""

    away: float
    abrupt: bool


class Standstill(NamedTuple):
    """All workers stop, in order, for so many seconds, while records go on to come."""

    seconds: float


Incident = Deaths | Zombie | Join | Leave | BrokerRestart | Standstill


def schedule(seed: int, counts: Counts) -> tuple[Incident, ...]:
    """All incidents in their order; the same for the same arguments."""
    rng = random.Random(f"schedule {seed}")
    incidents: list[Incident] = list(_rounds(rng, counts))
    incidents += [Zombie(rng.randrange(counts.workers), rng.uniform(0.0, 3.0)) for _ in range(counts.zombies)]
    incidents += [Join()] * counts.rebalances
    incidents += [
        BrokerRestart(AWAY[number % len(AWAY)], abrupt=number % 2 == 0) for number in range(counts.broker_restarts)
    ]
    incidents += [Standstill(counts.standstill)] * counts.standstills
    rng.shuffle(incidents)
    return tuple(with_leaves(incidents))


def with_leaves(incidents: list[Incident]) -> Iterator[Incident]:
    """Every second worker that would join leaves instead: there is one more than usual, or none."""
    joined = False
    for one in incidents:
        if isinstance(one, Join):
            yield Leave() if joined else one
            joined = not joined
        else:
            yield one


def places(rng: random.Random, kills: int) -> list[str]:
    """Where the workers die, in any order: each step twice when there are kills enough, and then some; the rest are
    killed from outside (empty).
    """
    whole = EACH * len(PLACES)
    steps = max(whole, kills * 2 // 3) if kills >= whole else kills - kills // 4
    found: list[str] = []
    while len(found) < steps:
        found += rng.sample(PLACES, len(PLACES))
    found = found[:steps] + [""] * (kills - steps)
    rng.shuffle(found)
    return found


def _rounds(rng: random.Random, counts: Counts) -> Iterator[Deaths]:
    left = places(rng, counts.kills)
    wiped = set(rng.sample(range(len(left)), min(counts.wipes, len(left))))
    number = 0
    while number < len(left):
        size = min(rng.choice(AT_ONCE), counts.workers, len(left) - number)
        slots = rng.sample(range(counts.workers), size)
        yield Deaths(tuple(_death(rng, slot, left[at], at in wiped) for at, slot in enumerate(slots, number)))
        number += size


def _death(rng: random.Random, slot: int, place: str, wiped: bool) -> Death:
    if not place:
        return Death(slot, after=rng.uniform(0.0, WITHIN), wiped=wiped)
    latest = 1 if place.endswith(AT_RECOVERY) else LATEST
    return Death(slot, place, rng.randint(1, latest), wiped=wiped)
