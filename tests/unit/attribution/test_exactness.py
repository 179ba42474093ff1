"""What holds for every history, through both pipelines: however often a record comes, in whatever batches, wherever a
process dies, and whichever of an install and its events is read first inside the grace, the jobs are the same.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import DAY, MINUTE, SECOND, Configuration, Endpoint, Postback
from schemas.job import Job
from streams.engine.raw import Raw
from tests.unit.attribution.agreement import NAMES, Lane, run
from tests.unit.attribution.timeline import START, app
from tests.unit.attribution.worlds import BOTH, MOBILE, PARTNERS, SOURCES, URL, Maker, World

seeds = st.integers(0, 2**32)
few = settings(max_examples=20)


def world_of(seed: int, length: int = 120) -> World:
    return Maker(random.Random(seed)).world(length)


def jobs(lanes: tuple[Lane, Lane]) -> Counter[bytes]:
    """The jobs as they were written; the moment of deciding is 0 everywhere."""
    return Counter(value for lane in lanes for value in lane.of(NAMES.delivery))


def states(lanes: tuple[Lane, Lane]) -> list[dict[bytes, bytes]]:
    """What both stages remember in the end, daily counts included."""
    return [lane.rows for lane in lanes]


@few
@given(seeds, seeds, seeds)
def test_any_batch_boundaries_give_the_same_jobs_and_the_same_state(seed: int, one: int, other: int) -> None:
    world = world_of(seed)
    first, second = run(world, random.Random(one)), run(world, random.Random(other))
    assert jobs(first) == jobs(second)
    assert states(first) == states(second)


@few
@given(seeds, seeds, st.floats(0.05, 0.6))
def test_a_crash_at_any_batch_gives_the_same_jobs_and_the_same_state(seed: int, dying: int, often: float) -> None:
    world = world_of(seed)
    alive, dead = run(world, random.Random(1)), run(world, random.Random(dying), crash=often)
    assert jobs(alive) == jobs(dead)
    assert states(alive) == states(dead)


@few
@given(seeds, seeds)
def test_no_two_jobs_have_the_same_id(seed: int, batches: int) -> None:
    ids = Counter(
        msgspec.json.decode(value, type=Job).job_id for value in jobs(run(world_of(seed), random.Random(batches)))
    )
    assert set(ids.values()) <= {1}


@few
@given(seeds, seeds)
def test_any_duplication_gives_the_same_jobs_and_the_same_state(seed: int, doubling: int) -> None:
    world, dice = world_of(seed), random.Random(doubling)
    history = list(world.history)
    for _ in range(dice.randrange(150)):
        place = dice.randrange(1, len(history) + 1)
        entry, raw = dice.choice(history[:place])
        history.insert(place, (entry, raw._replace(appended=history[place - 1][1].appended)))
    doubled = World(world.configuration, world.hold_limit, history)
    once, again = run(world, random.Random(2)), run(doubled, dice)
    assert jobs(once) == jobs(again)
    assert states(once) == states(again)


@few
@given(seeds, seeds)
def test_counts_are_monotone_and_come_to_the_number_of_jobs(seed: int, batches: int) -> None:
    lanes = run(world_of(seed), random.Random(batches), crash=0.1)
    newest: defaultdict[bytes, dict[str, int]] = defaultdict(dict)
    decided = 0
    for lane in lanes:
        for row in lane.counted:
            before = newest[row.key()]
            assert before.keys() <= row.counts.keys()
            assert all(row.counts[name] >= count for name, count in before.items())
            newest[row.key()] = row.counts
        postbacks = [row for row in map(msgspec.json.decode, newest) if row[0] == "postback"]
        assert postbacks or not lane.of(NAMES.delivery)
    decided = sum(counts.get("decided", 0) for counts in newest.values())
    assert decided == jobs(lanes).total()


# Installs and events that are interleaved inside the grace

APP = app(id="game")
EVENTS = ("launch", "payment", "registration", "custom_payment", "coins")
#: Longer than the claim window: a claim holds from when it is read on.
GAPS = (1.1, 5.3, 28.7, 31.2, 40.0)
HERE = Configuration(
    generation=1,
    sources=tuple(SOURCES.values()),
    apps=(APP,),
    partners=PARTNERS,
    postbacks=tuple(
        Postback(
            id=f"{event}-{method}",
            title="",
            app=APP.id,
            partner="acme",
            event=event,
            endpoint=Endpoint(url=URL),
            delivery_method=method,  # type: ignore[arg-type]
        )
        for event in BOTH + MOBILE
        for method in ("all", "network")
    ),
)


def bursts(dice: random.Random) -> list[list[dict[str, object]]]:
    """Bursts of records within 20 seconds, days apart, of three devices with a user each.

    The events of a burst come in their own order, as of one topic. A device that has no install in its first burst
    never has one: a later one would be a claim, and a claim holds from then on.
    """
    now, out = START, []
    installs = {device: dice.random() < 0.7 for device in "abc"}
    for number in range(dice.randrange(1, 6)):
        now += int(dice.choice(GAPS) * DAY)
        burst: list[dict[str, object]] = []
        for device in "abc":
            seconds = sorted(dice.randrange(20) for _ in range(dice.randrange(5)))
            for second in seconds:
                name = dice.choice(EVENTS)
                burst.append({"event_name": name, "event_timestamp": now + second * SECOND, "google_aid": device})
            if installs[device] and (number == 0 or dice.random() < 0.5):
                burst.append({"install_timestamp": now + dice.randrange(20) * SECOND, "google_aid": device})
        for place, record in enumerate(burst):
            publisher = dice.choice((None, "acme", "globex"))
            record |= {"id": f"r{number}-{place}", "app_id": APP.id, "user_id": f"user of {record['google_aid']}"}
            record |= {"publisher_name": publisher} if publisher else {}
        out.append(burst)
    return out


def at_of(record: dict[str, object]) -> int:
    return int(str(record.get("install_timestamp", record.get("event_timestamp"))))


def read(bursts: list[list[dict[str, object]]], dice: random.Random | None) -> World:
    """The installs of each burst at their own times, or anywhere in it."""
    history, appended = [], START
    for burst in bursts:
        appended = max([at_of(record) for record in burst], default=appended)
        order = sorted(burst, key=lambda record: (at_of(record), "event_name" in record))
        if dice is not None:
            installs = [record for record in order if "event_name" not in record]
            order = [record for record in order if "event_name" in record]
            for install in installs:
                order.insert(dice.randrange(len(order) + 1), install)
        for number, record in enumerate(order):
            source = SOURCES["event" if "event_name" in record else "install"]
            value = msgspec.json.encode(record)
            history.append((None, Raw(source.topic, 0, number, appended + number, b"k", value, source)))
        appended += 2 * MINUTE
    return World(HERE, 1000, history)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(seeds, seeds)
def test_any_interleaving_of_installs_and_events_within_the_hold_gives_the_same_jobs(seed: int, order: int) -> None:
    records = bursts(random.Random(seed))
    in_order = run(read(records, None), random.Random(3))
    anyhow = run(read(records, random.Random(order)), random.Random(4))
    assert jobs(anyhow) == jobs(in_order)
