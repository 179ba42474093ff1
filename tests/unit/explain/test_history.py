"""A device's history once more comes to what the worker comes to, whatever lies around it."""

from __future__ import annotations

import json
import random

import msgspec
import pytest

from schemas.config import DAY, HOUR, MINUTE, SECOND, App, Configuration
from schemas.decision import Decision
from streams.attribution import state
from streams.engine.devices import Read
from streams.engine.holds import Holds, device_row
from streams.engine.merge import Merge
from streams.engine.output import Limits, Names
from streams.engine.pipeline import Pipeline
from streams.engine.raw import Raw
from streams.explain.found import Reading
from streams.explain.history import history_of
from streams.explain.sifting import Sieve, occurrences
from streams.postbacks.index import Index
from tests.unit.explain.building import SOURCES, START, World, postback

NAMES = Names("delivery", "decisions", "dead-letters", "users")
DEVICES = ("game|abc", "game|def", "game|ghi")
LIMITS = Limits(held_records=3)
CONFIGURATION = Configuration(
    generation=1,
    sources=SOURCES,
    apps=(App(id="game", project="shop", platform="android", bundle_id="game", device_key=("google_aid",)),),
    partners=(),
    postbacks=(),
)


def traffic(seed: int, backwards: bool) -> list[Raw]:
    """Random records of a few devices; `backwards`: their producer's clock jumps."""
    luck = random.Random(seed)
    raws = []
    appended = START
    offsets = {source.topic: 0 for source in SOURCES}
    for number in range(60):
        appended += luck.choice((0, SECOND, MINUTE, HOUR, 20 * DAY)) - (luck.randrange(MINUTE) if backwards else 0)
        source = luck.choice(SOURCES)
        device = luck.choice(DEVICES)
        at = appended - luck.choice((0, 0, SECOND, HOUR, DAY, 3 * DAY))
        record = {
            "id": f"r{luck.randrange(number + 1)}", "app_id": "game", "google_aid": device.partition("|")[2],
            f"{source.record}_timestamp": at,
        }  # fmt: skip
        if source.record == "event":
            record["event_name"] = luck.choice(("payment", "launch", "coins"))
        if luck.random() < 0.5:
            record["publisher_name"] = luck.choice(("acme", "globex"))
        value = json.dumps(record).encode()
        raws.append(Raw(source.topic, 0, offsets[source.topic], max(START, appended), device.encode(), value, source))
        offsets[source.topic] += 1
    return raws


FORGETFUL = msgspec.structs.replace(
    CONFIGURATION, apps=(msgspec.structs.replace(CONFIGURATION.apps[0], forget_after=10 * DAY),)
)


def as_the_worker(raws: list[Raw], configuration: Configuration) -> tuple[list[Decision], dict[bytes, bytes]]:
    """What a worker decides, and the states that it ends with."""
    rows: dict[bytes, bytes] = {}
    pipeline = Pipeline(NAMES, "all", LIMITS, lambda _key, _count: 0)
    pipeline.configure(configuration)
    merge: Merge[Raw] = Merge([(source.topic, source.record == "install") for source in SOURCES])
    for source in SOURCES:
        some = [raw for raw in raws if raw.topic == source.topic]
        merge.feed(source.topic, some, len(some))
        merge.stood_at(source.topic, len(some), 1 << 61)
    holds = Holds()
    read: Read = lambda keys: [rows.get(key) for key in keys]  # noqa: E731
    found = []
    while records := merge.take(7):
        while True:
            output = pipeline.process(0, records, merge.progress(), START, read, holds, 1)
            rows |= {key: value for key, value in output.puts.items() if value is not None}
            found += [one.value for one in output.outgoing if one.topic == NAMES.decisions]
            records = records[output.taken :]
            if not records and not output.more:
                break
    return [msgspec.json.decode(value, type=Decision) for value in found], rows


def readings(raws: list[Raw], device_key: str, configuration: Configuration) -> tuple[list[Reading], bytes]:
    """The same by the device alone, and the state that it ends with."""
    sieves = {source.topic: Sieve("", device_key, source, 0) for source in SOURCES}
    for raw in raws:
        sieves[raw.topic].take(raw.offset, raw.appended, raw.key, raw.value)
    candidates = [one for sieve in sieves.values() for one in sieve.kept]
    index = Index(configuration)
    found = occurrences(candidates, "", device_key, configuration, index, LIMITS)
    history = history_of(device_key, found, index, LIMITS, None, 1 << 61)
    return history.readings, b"" if history.device is None else state.encode(history.device)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_a_device_alone_comes_to_what_the_worker_comes_to_with_all_of_them(seed: int, backwards: bool) -> None:
    raws = traffic(seed, backwards)
    configuration = FORGETFUL if seed % 3 == 0 else CONFIGURATION
    decisions, rows = as_the_worker(raws, configuration)
    for device in DEVICES:
        theirs = [
            (
                one.record_id,
                one.kind,
                one.at,
                one.result,
                one.late,
                [(d.event, d.attribution_number) for d in one.derived],
            )
            for one in decisions
            if one.device_key == device and one.result != "held"
        ]
        ours, stored = readings(raws, device, configuration)
        facts = [reading.processed for reading in ours]
        told = [
            (
                f.entry.id,
                f.entry.kind,
                f.entry.at,
                f.result,
                f.late,
                [(d.event, d.attribution.number) for d in f.derived],
            )
            for f in facts
            if f is not None
        ]
        assert sorted(told) == sorted(theirs)
        assert len(told) == len(ours)
        assert stored == rows.get(device_row(device), b"")


@pytest.mark.parametrize("seed", range(15))
def test_the_state_after_a_record_is_the_one_before_the_next(seed: int) -> None:
    raws = traffic(seed, False)
    for device in DEVICES:
        ours, stored = readings(raws, device, CONFIGURATION)
        for reading in ours:
            fact = reading.processed
            assert fact is not None
            assert reading.after is not None
            if fact.result == "processed" and fact.period is not None:
                numbers = [one.number for one in reading.after.attributions]
                assert fact.period.number in numbers
        last = [
            reading for reading in ours if reading.processed is not None and reading.processed.result == "processed"
        ]
        if last:
            newest = max(reading.after.newest for reading in last if reading.after is not None)
            assert state.decode(stored).newest == newest


def test_what_the_worker_has_not_read_yet_changes_nothing() -> None:
    world = World(postback(delivery_method="all"))
    world.install("i", 0)
    world.event("e", DAY)
    world.kept.positions = {"installs": 1, "events": 0}
    read, unread = world.material("e").history.readings
    assert (read.unread, unread.unread, unread.processed) == (None, 0, None)
    assert world.story("e").postbacks == []
