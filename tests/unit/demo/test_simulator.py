"""The traffic of the demo: the same for the same seed, realistic in its amounts, and with all that can happen."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import msgspec
import pytest

from schemas import times
from schemas.config import DAY
from schemas.decision import Decision
from streams.demo.configuration import load_configuration
from streams.demo.expected import Outcome, expected
from streams.demo.simulator import Planned, plan
from streams.engine.pipeline import Holds, Limits, Pipeline
from streams.kafka import partition_of
from streams.replay.run import AT_LAST, NAMES
from tests.unit.demo.laying import PARTITIONS, lay

END = 1_767_323_045_123
COUNT = 1_500
SEEDS = range(10)
CONFIGURATION = load_configuration("http://127.0.0.1:4711", "")


def of_kind(seed: int, kind: str) -> list[dict[str, Any]]:
    """The records of one kind that can be read, in the order of the plan."""
    return [json.loads(one.value) for one in plan(seed, COUNT, END) if one.kind == kind and one.value.endswith(b"}")]


def at(record: dict[str, Any]) -> int:
    return times.parse(record.get("install_timestamp") or record["event_timestamp"])


@cache
def outcome_of(seed: int) -> Outcome:
    return expected(CONFIGURATION, lay(CONFIGURATION, plan(seed, COUNT, END), END), PARTITIONS)


def decisions(seed: int) -> list[Decision]:
    """What became of each record of a plan, all in one partition."""
    lying = lay(CONFIGURATION, plan(seed, COUNT, END), END, partitions=1)[0]
    pipeline = Pipeline(NAMES, "all", Limits(), partition_of)
    pipeline.configure(CONFIGURATION)
    output = pipeline.process(0, lying, AT_LAST, END, lambda keys: [None] * len(keys), Holds(), 1)
    assert output.taken == COUNT
    return [msgspec.json.decode(one.value, type=Decision) for one in output.outgoing if one.topic == "decisions"]


def test_the_same_arguments_give_the_same_plan() -> None:
    assert list(plan(7, COUNT, END)) == list(plan(7, COUNT, END))


def test_another_seed_gives_other_devices() -> None:
    first, second = ({one.key for one in plan(seed, COUNT, END)} for seed in (1, 2))
    assert not first & second


def test_another_end_moves_the_times_and_nothing_else() -> None:
    earlier, later = (list(plan(3, COUNT, end)) for end in (END - DAY, END))
    assert [one.key for one in earlier] == [one.key for one in later]
    assert earlier != later


@pytest.mark.parametrize("count", [0, 1, 2, 50, 3_001])
def test_a_plan_has_as_many_records_as_it_is_asked_for(count: int) -> None:
    assert len(list(plan(1, count, END))) == count


@pytest.mark.parametrize("seed", SEEDS)
def test_amounts_are_those_of_a_game(seed: int) -> None:
    records = list(plan(seed, COUNT, END))
    assert 150 <= len({one.key for one in records}) <= 300
    assert 200 <= sum(one.kind == "install" for one in records) <= 300
    newest = max(at(json.loads(one.value)) for one in records if one.value.endswith(b"}"))
    oldest = min(at(json.loads(one.value)) for one in records if one.value.endswith(b"}"))
    assert newest == END
    assert 105 * DAY < newest - oldest <= 120 * DAY
    assert 300 <= outcome_of(seed).counts.total("decided") <= 700


@pytest.mark.parametrize("seed", SEEDS)
def test_every_postback_gets_jobs(seed: int) -> None:
    counts = outcome_of(seed).counts
    assert counts.postbacks.keys() == {postback.id for postback in CONFIGURATION.postbacks}
    assert min(counts.count(postback, "decided") for postback in counts.postbacks) >= 3
    for column in ("delivered", "retried", "failed", "suppressed"):
        assert counts.total(column) >= 3
    assert counts.total("waiting") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_bad_records_are_few_and_of_each_kind(seed: int) -> None:
    records = outcome_of(seed).counts.records
    assert records["read"] == COUNT
    assert records["unknown_app"] >= 3
    assert records["dead_letter"] >= 6
    assert records["dead_letter"] + records["unknown_app"] <= COUNT * 0.02
    assert records["duplicate"] >= 10
    assert records["too_late"] >= 5
    values = [one.value for one in plan(seed, COUNT, END)]
    assert any(not value.endswith(b"}") for value in values)
    assert any(
        value.endswith(b"}") and b'"event_name"' not in value and b"event_timestamp" in value for value in values
    )


def test_no_record_is_in_the_future_at_any_moment() -> None:
    assert all(at(record) <= END for kind in ("install", "event") for record in of_kind(4, kind))
    assert all(times.parse(record.get("click_timestamp", 0)) <= END for record in of_kind(4, "install"))


def test_installs_come_from_everywhere() -> None:
    sources = Counter(
        (record.get("publisher_name"), record.get("agency_name"), record.get("touch_type", "click"))
        for record in of_kind(1, "install")
    )
    assert sources[None, None, "click"] >= 20
    for publisher in ("acme_ads", "acme", "globex", "initech"):
        assert sources[publisher, None, "click"] >= 3
    assert sources["globex", None, "impression"] >= 3
    assert sources["globex", "northwind", "click"] >= 3
    assert sources["ad_river", "northwind", "click"] >= 3
    assert sources[None, "northwind", "click"] >= 3


def test_events_are_of_many_kinds() -> None:
    names = Counter(record.get("event_name") for record in of_kind(1, "event"))
    expected_names = {"launch", "session_begin", "payment", "purchase", "registration", "tutorial_done", "level_up"}
    assert all(names[name] >= 30 for name in expected_names)
    assert names["uninstall"] >= 1


def test_some_events_are_produced_before_their_install() -> None:
    kinds: defaultdict[bytes, list[str]] = defaultdict(list)
    for record in plan(1, COUNT, END):
        kinds[record.key].append(record.kind)
    assert sum(of[0] == "event" and "install" in of for of in kinds.values()) >= 20


def test_a_record_that_is_sent_again_is_the_same() -> None:
    copies = Counter(plan(1, COUNT, END))
    assert sum(number > 1 for number in copies.values()) >= 10
    ids = defaultdict(set)
    for record in plan(1, COUNT, END):
        if record.value.endswith(b"}"):
            ids[record.key, record.kind, json.loads(record.value)["id"]].add(record.value)
    assert all(len(values) == 1 for values in ids.values())


def test_everything_happens_to_some_record() -> None:
    found = decisions(1)
    results = Counter(one.result for one in found)
    assert min(results[result] for result in ("held", "duplicate", "too_late", "reinstall")) >= 5
    assert sum(one.late and one.event_name == "payment" for one in found) >= 5
    notes = [note for one in found for note in one.derived]
    events = Counter(note.event for note in notes)
    assert events["re_install"] >= 3
    back = [note for note in notes if note.event == "re_engagement"]
    assert sum(note.publisher_name is not None for note in back) >= 10
    assert sum(note.publisher_name is None for note in back) >= 3
    installs = Counter(one.device_key for one in found if one.kind == "install")
    # The only install of its device, processed after its events: the device had been assumed organic.
    assert any(one.kind == "install" and one.late and installs[one.device_key] == 1 for one in found)
    # More than one install with an effect and no absence between them: a tracker's word after the app's.
    told = Counter(one.device_key for one in found if any(note.event == "install" for note in one.derived))
    assert max(told.values()) == 2


def test_keys_are_device_keys() -> None:
    lying = lay(CONFIGURATION, plan(5, COUNT, END), END, partitions=7)
    assert expected(CONFIGURATION, lying, 7).counts.records["read"] == COUNT
    assert {type(one) for one in plan(5, 10, END)} == {Planned}
