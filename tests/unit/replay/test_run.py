"""Recorded input put through both stages, in memory."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import Configuration
from schemas.job import Job
from schemas.user import Origin, UserRecord
from streams.engine.counts import COUNT_PREFIX
from streams.engine.holds import Holds
from streams.engine.output import Outgoing, Output
from streams.engine.pipeline import WrongPartition
from streams.engine.raw import Raw
from streams.kafka import users_partitions
from streams.replay import run
from streams.replay.run import USERS, Devices, Memory, Partition, Setup, Telling, Told
from tests.unit.replay.recorded import PARTITIONS, POSTBACKS, configuration, recorded

CONFIGURATION = configuration()


def jobs(outputs: list[Output]) -> list[Job]:
    return [msgspec.json.decode(value, type=Job) for output in outputs for value in run.jobs(output)]


def replayed(records: dict[int, list[Raw]], batch: int = run.BATCH) -> list[Job]:
    setup = Setup(CONFIGURATION, PARTITIONS, batch=batch)
    return jobs([output for _, output in run.replay(setup, records)])


def by_id(found: list[Job]) -> dict[str, Job]:
    assert len({job.job_id for job in found}) == len(found)
    return {job.job_id: job for job in found}


def test_every_postback_has_jobs() -> None:
    # Otherwise what follows would prove little.
    counts = Counter(job.postback_id for job in replayed(recorded(1)))
    assert min(counts[one.id] for one in POSTBACKS) >= 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 300))
def test_any_batch_size_gives_the_same_jobs(seed: int, batch: int) -> None:
    records = recorded(seed, 160)
    assert by_id(replayed(records, batch)) == by_id(replayed(records))


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), random_order=st.randoms(use_true_random=False))
def test_pieces_in_any_order_give_the_same_jobs(seed: int, random_order: random.Random) -> None:
    for number, records in recorded(seed, 160).items():
        decides = run.device_stage(CONFIGURATION)
        whole = Devices(CONFIGURATION.sources, Partition(decides, number, PARTITIONS, Memory(), Holds()))
        pieces = Devices(CONFIGURATION.sources, Partition(decides, number, PARTITIONS, Memory(), Holds()))
        left: dict[str, list[Raw]] = defaultdict(list)
        for record in records:
            left[record.topic].append(record)
        for topic in ("installs", "events"):
            whole.feed(topic, left[topic])
            whole.end(topic)
        made: list[Output] = []
        while left:
            topic = random_order.choice(sorted(left))
            size = random_order.randint(1, 20)
            pieces.feed(topic, left[topic][:size])
            left[topic] = left[topic][size:]
            if not left[topic]:
                del left[topic]
                pieces.end(topic)
            made += pieces.outputs()
        for topic in ("installs", "events"):
            pieces.end(topic)
        made += pieces.outputs()
        assert jobs(made) == jobs(list(whole.outputs()))


def test_the_order_in_which_records_are_given_does_not_matter() -> None:
    records = recorded(2)
    shuffled = {number: random.Random(3).sample(some, len(some)) for number, some in records.items()}
    assert replayed(shuffled) == replayed(records)


def test_the_user_stage_goes_by_append_time_over_all_partitions() -> None:
    told: list[Told] = []
    setup = Setup(CONFIGURATION, PARTITIONS)
    for number, records in recorded(4).items():
        telling = Telling(number)
        for stage, output in run.replay(setup, {number: records}):
            if stage is None:
                told += telling.told(output)
    for partition in range(users_partitions(PARTITIONS)):
        each = [[one for one in told if (one.partition, one.number) == (partition, n)] for n in range(PARTITIONS)]
        lying = list(run.users_records(partition, each))
        assert [raw.offset for raw in lying] == list(range(len(lying)))
        assert [raw.appended for raw in lying] == sorted(raw.appended for raw in lying)
        for some in each:
            # What one partition tells stays in the order of writing, also when it was held before.
            kept = [raw.value for raw in lying if raw.value in {one.value for one in some}]
            assert kept == [one.value for one in some]


def test_what_was_held_does_not_overtake_what_was_told_before() -> None:
    def value(appended: int) -> bytes:
        first = Origin(1, 1, 1)
        said: Any = {
            "kind": "event",
            "id": "e",
            "name": "x",
            "at": 1,
            "device_key": "d",
            "device_id": "d",
            "record": msgspec.Raw(b"{}"),
        }
        said |= {"app_id": "a", "user_id": "u"}
        return msgspec.json.encode(UserRecord(**said, appended=appended, first=first))

    output = Output()
    for appended in (10, 30, 20, 40):
        output.outgoing.append(Outgoing("users", b"k", value(appended), 1))
    told = list(Telling(5).told(output))
    assert [one.appended for one in told] == [10, 30, 30, 40]
    assert [one.nth for one in told] == [1, 2, 3, 4]
    assert {(one.number, one.partition) for one in told} == {(5, 1)}


def test_the_users_topic_itself_counts_where_it_is_at_hand() -> None:
    records = recorded(5)
    setup = Setup(CONFIGURATION, PARTITIONS)
    told: list[list[Told]] = []
    for number, some in records.items():
        telling = Telling(number)
        told.append([])
        for stage, output in run.replay(setup, {number: some}):
            if stage is None:
                told[-1] += telling.told(output)
    users = {
        partition: [
            raw._replace(topic="prefix.users")
            for raw in run.users_records(
                partition, [[one for one in each if one.partition == partition] for each in told]
            )
        ]
        for partition in range(users_partitions(PARTITIONS))
    }

    def of_users(lying: dict[int, list[Raw]] | None) -> list[Job]:
        return jobs([output for stage, output in run.replay(setup, records, lying) if stage == USERS])

    assert of_users(users) == of_users(None)
    backwards = {partition: [raw._replace(offset=-raw.offset) for raw in lying] for partition, lying in users.items()}
    assert of_users(backwards) != of_users(None)
    assert of_users({}) == []


def test_a_decision_at_level_all_stands_with_its_jobs() -> None:
    setup = Setup(CONFIGURATION, PARTITIONS, level="all")
    outputs = [output for _, output in run.replay(setup, recorded(6))]
    found = [(decision, some) for output in outputs for decision, some in run.decisions(output)]
    assert [job for _, some in found for job in some] == jobs(outputs)
    for decision, some in found:
        assert {job.job_id for job in some} == {one.job_id for one in decision.verdicts if one.job_id}
        assert {(job.record_id, job.device_key) for job in some} <= {(decision.record_id, decision.device_key)}


def test_a_record_in_another_partition_than_its_devices_is_refused() -> None:
    records = recorded(9)
    wrong = [raw._replace(partition=1) for raw in records[0]]
    with pytest.raises(WrongPartition):
        replayed({1: wrong})


def test_rows_are_put_and_deleted() -> None:
    rows = Memory()
    rows.write({b"a": b"1", b"b": b"2"})
    rows.write({b"a": None, b"c": b"3", b"never": None})
    assert rows.read([b"a", b"b", b"c"]) == [None, b"2", b"3"]
    assert len(rows) == 2


def test_the_state_is_the_same_without_postbacks() -> None:
    # So what lies before the history needs no job to be decided.
    def states(some: Configuration) -> list[dict[bytes, bytes]]:
        kept: list[Memory] = []

        def memory() -> Memory:
            kept.append(Memory())
            return kept[-1]

        told: list[Told] = []
        for number, records in recorded(10).items():
            partition = Partition(run.device_stage(some), number, PARTITIONS, memory(), Holds())
            devices = Devices(some.sources, partition)
            for topic in ("installs", "events"):
                devices.feed(topic, [record for record in records if record.topic == topic])
                devices.end(topic)
            telling = Telling(number)
            told += [one for output in devices.outputs() for one in telling.told(output)]
        for number in range(users_partitions(PARTITIONS)):
            partition = Partition(run.user_stage(some), number, PARTITIONS, memory(), Holds())
            lying = run.users_records(number, [sorted(one for one in told if one.partition == number)])
            assert sum(output.taken for output in run.user_outputs(partition, lying)) > 10
        return [{key: row for key, row in one.rows().items() if not key.startswith(COUNT_PREFIX)} for one in kept]

    whole = states(CONFIGURATION)
    assert states(msgspec.structs.replace(CONFIGURATION, postbacks=())) == whole
    assert min(map(len, whole)) > 3


def test_another_one_decides_from_a_time_on() -> None:
    (number, records), *_ = recorded(11).items()
    since = sorted(record.appended for record in records)[len(records) // 2]
    partition = Partition(run.device_stage(CONFIGURATION), number, PARTITIONS, Memory(), Holds())
    devices = Devices(CONFIGURATION.sources, partition, batch=1)
    devices.switch(since, run.device_stage(CONFIGURATION, level="all"))
    for topic in ("installs", "events"):
        devices.feed(topic, [record for record in records if record.topic == topic])
        devices.end(topic)
    outputs = list(devices.outputs())
    decided = {(d.record_id, d.result) for output in outputs for d, _ in run.decisions(output)}
    wanted = [record for record in records if record.appended >= since]
    assert {json.loads(record.value or b"")["id"] for record in wanted} <= {one for one, _ in decided}
    assert len(decided) < sum(output.taken for output in outputs)
