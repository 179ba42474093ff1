"""What must come out of a demo, beside counts by hand."""

from __future__ import annotations

import json
import random
from itertools import count as counting
from typing import Any

import pytest

from schemas.config import DAY, HOUR
from streams.demo.answers import answer
from streams.demo.configuration import load_configuration
from streams.demo.counts import COLUMNS, Counts, differences
from streams.demo.expected import Outcome, expected
from streams.demo.simulator import Planned, plan
from streams.engine.pipeline import Limits, WrongPartition
from streams.postbacks.jobs import job_id
from tests.unit.demo.laying import PARTITIONS, lay

CONFIGURATION = load_configuration("http://127.0.0.1:4711", "")
ANDROID, IOS = "com.example.puzzle", "com.example.puzzle.ios"
NOW = 1_767_323_045_000
AT = NOW - DAY
DEVICE = "0f8d3a1e-8c1b-4b7e-9a53-2f6a4c1d7e90"


def key(app: str) -> bytes:
    return f"{app}|{DEVICE}".encode()


def install(app: str = ANDROID, at: int = AT - HOUR, **fields: Any) -> Planned:
    named = {"google_aid" if app == ANDROID else "ios_ifv": DEVICE}
    record = {"id": "i", "app_id": app, "install_timestamp": at, **named, **fields}
    return Planned("install", key(app), json.dumps(record).encode())


def event(name: str, record_id: str, app: str = ANDROID, at: int = AT, **fields: Any) -> Planned:
    named = {"google_aid" if app == ANDROID else "ios_ifv": DEVICE}
    record = {"id": record_id, "app_id": app, "event_name": name, "event_timestamp": at, **named, **fields}
    return Planned("event", key(app), json.dumps(record).encode())


def answered(status: int, postback: str, derived: str, app: str, path: str) -> str:
    """The id of a record of which that postback's job has this status as its first answer."""
    for number in counting():
        job = job_id(postback, derived, app, f"{app}|{DEVICE}", "event", f"e-{number}", AT)
        if answer(job, 1, path).status == status:
            return f"e-{number}"
    raise AssertionError


def row(outcome: Outcome, postback: str) -> dict[str, int]:
    """The columns of a postback that are not 0."""
    numbers = {column.name: outcome.counts.count(postback, column.name) for column in COLUMNS}
    return {name: number for name, number in numbers.items() if number}


def outcome_of(*records: Planned) -> Outcome:
    return expected(CONFIGURATION, lay(CONFIGURATION, records, NOW), PARTITIONS)


def test_nothing_comes_of_nothing() -> None:
    outcome = outcome_of()
    assert outcome.counts.postbacks.keys() == {postback.id for postback in CONFIGURATION.postbacks}
    assert outcome.counts.total("decided") == len(outcome.attempts) == 0
    assert set(outcome.counts.records.values()) == {0}


LEVEL = ("initech-level-up", "event:level_up", ANDROID, "/initech/level")
PAYMENT = ("initech-payment-ios", "payment", IOS, "/initech/revenue")
TUTORIAL = ("globex-tutorial", "event:tutorial_done", ANDROID, "/globex/tutorial")
PAID: dict[str, Any] = {"revenue": 4.99, "currency": "USD", "transaction_id": "T.1"}

DELIVERED = {"decided": 1, "delivered": 1}
RETRIED = {"decided": 1, "delivered": 1, "retried": 1}
FAILED = {"decided": 1, "failed": 1}


@pytest.mark.parametrize(
    ("which", "name", "fields", "status", "columns", "attempts"),
    [
        (PAYMENT, "payment", PAID, 200, DELIVERED, 1),
        (PAYMENT, "payment", PAID, 500, RETRIED, 2),
        (PAYMENT, "payment", PAID, 429, RETRIED, 2),
        (PAYMENT, "payment", PAID, 404, FAILED, 1),
        # It is never sent again.
        (LEVEL, "level_up", {}, 200, DELIVERED, 1),
        (LEVEL, "level_up", {}, 500, FAILED, 1),
        (LEVEL, "level_up", {}, 429, FAILED, 1),
        (LEVEL, "level_up", {}, 404, FAILED, 1),
    ],
)
def test_a_job_follows_its_answers(
    which: tuple[str, str, str, str],
    name: str,
    fields: dict[str, Any],
    status: int,
    columns: dict[str, int],
    attempts: int,
) -> None:
    postback, _, app, _ = which
    outcome = outcome_of(install(app), event(name, answered(status, *which), app, **fields))
    assert row(outcome, postback) == columns
    assert outcome.counts.total("decided") == 1
    assert sum(map(len, outcome.attempts.values())) == attempts


@pytest.mark.parametrize(("status", "columns"), [(200, DELIVERED), (500, RETRIED)])
def test_a_delayed_job_is_delivered_too(status: int, columns: dict[str, int]) -> None:
    done = event("tutorial_done", answered(status, *TUTORIAL))
    assert row(outcome_of(install(publisher_name="globex"), done), "globex-tutorial") == columns
    assert row(outcome_of(install(), done), "globex-tutorial") == {}


def test_a_shadow_is_decided_and_suppressed() -> None:
    record = answered(200, *PAYMENT)
    outcome = outcome_of(install(IOS, publisher_name="acme_ads"), event("purchase", record, IOS, **PAID))
    assert row(outcome, "acme-payment-ios") == {"decided": 1, "suppressed": 1}
    assert row(outcome, "initech-payment-ios") == DELIVERED
    assert sum(map(len, outcome.attempts.values())) == 1


def test_duplicates_too_late_and_bad_records_are_counted() -> None:
    level = event("level_up", answered(200, *LEVEL))
    outcome = outcome_of(
        install(),
        level,
        level,
        event("level_up", "old", at=AT - 3 * DAY),
        event("launch", "foreign", app="com.example.other"),
        Planned("event", key(ANDROID), b'{"id": "half'),
        Planned("install", key(ANDROID), b'{"id": "no app"}'),
    )
    assert outcome.counts.records == {"read": 7, "duplicate": 1, "too_late": 1, "unknown_app": 1, "dead_letter": 2}
    assert row(outcome, "initech-level-up") == DELIVERED


def test_an_event_waits_for_its_install() -> None:
    done, from_globex = event("tutorial_done", answered(200, *TUTORIAL)), install(publisher_name="globex")
    lying = lay(CONFIGURATION, [done, from_globex], NOW, step=1_900)
    assert row(expected(CONFIGURATION, lying, PARTITIONS), "globex-tutorial") == DELIVERED
    lying = lay(CONFIGURATION, [done, from_globex], NOW, step=2_100)
    assert row(expected(CONFIGURATION, lying, PARTITIONS), "globex-tutorial") == {}


def test_the_order_of_the_records_does_not_matter() -> None:
    lying = lay(CONFIGURATION, plan(3, 1_500, NOW), NOW)
    wanted = expected(CONFIGURATION, lying, PARTITIONS)
    for seed in range(3):
        rng = random.Random(seed)
        partitions = rng.sample(sorted(lying), len(lying))
        shuffled = {partition: rng.sample(lying[partition], len(lying[partition])) for partition in partitions}
        again = expected(CONFIGURATION, shuffled, PARTITIONS)
        assert again.counts == wanted.counts
        assert again.attempts == wanted.attempts


def test_the_number_of_partitions_and_with_it_of_batches_does_not_matter() -> None:
    outcomes = [
        expected(CONFIGURATION, lay(CONFIGURATION, plan(3, 1_500, NOW), NOW, partitions=number), number)
        for number in (1, 8)
    ]
    assert outcomes[0] == outcomes[1]


def test_a_batch_that_is_taken_in_parts_is_taken_whole() -> None:
    lying = lay(CONFIGURATION, plan(3, 1_500, NOW), NOW)
    in_parts = expected(CONFIGURATION, lying, PARTITIONS, Limits(releases=1))
    assert in_parts == expected(CONFIGURATION, lying, PARTITIONS)


def test_partitions_without_records_may_be_left_out() -> None:
    lying = {partition: records for partition, records in lay(CONFIGURATION, [install()], NOW).items() if records}
    assert expected(CONFIGURATION, lying, PARTITIONS).counts.records["read"] == 1


def test_a_changed_outcome_is_a_difference() -> None:
    lying = lay(CONFIGURATION, plan(3, 1_500, NOW), NOW)
    wanted, seen = (expected(CONFIGURATION, lying, PARTITIONS).counts for _ in range(2))
    assert differences(wanted, seen) == []
    job = seen.postbacks["initech-payment-ios"].delivered.pop()
    assert differences(wanted, seen) == [
        f"initech-payment-ios delivered: expected {wanted.count('initech-payment-ios', 'delivered')}, "
        f"observed {seen.count('initech-payment-ios', 'delivered')}; missing: {job}",
        f"initech-payment-ios waiting: expected 0, observed 1; not expected: {job}",
    ]


def test_every_count_adds_up() -> None:
    counts: Counts = expected(CONFIGURATION, lay(CONFIGURATION, plan(8, 1_500, NOW), NOW), PARTITIONS).counts
    for postback in counts.postbacks:
        ended = sum(counts.count(postback, column) for column in ("delivered", "failed", "suppressed"))
        assert counts.count(postback, "decided") == ended


def test_a_record_in_another_partition_than_its_devices_is_refused() -> None:
    lying = lay(CONFIGURATION, [install()], NOW)
    ((partition, (record,)),) = [(partition, records) for partition, records in lying.items() if records]
    other = (partition + 1) % PARTITIONS
    with pytest.raises(WrongPartition):
        expected(CONFIGURATION, {other: [record._replace(partition=other)]}, PARTITIONS)
