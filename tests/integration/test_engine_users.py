"""The users topic: assigned by itself, missing, recreated. `test_engine_crash` kills workers in the user stage."""

from __future__ import annotations

import re
from pathlib import Path

from confluent_kafka.admin import AdminClient

from streams.kafka import topic_table
from streams.settings import Settings
from tests.support.engine_bench import EngineBench, owns, probe, traffic, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.topics import create_topics
from tests.support.waiting import eventually


def test_with_more_inputs_than_users_partitions_both_are_shared_out(
    make_settings: MakeSettings, start: Start, tmp_path: Path
) -> None:
    settings = make_settings(partitions=18)
    bench = EngineBench(settings, start, 18)
    first = bench.worker(settings)
    with traffic(bench):
        wait_ready(first)
        assert owns(first, 18)
        assert owns(first, 16, "user ")
        second = bench.worker(make_settings(partitions=18, state_dir=tmp_path / "state-2"))
        for worker in (first, second):
            eventually(lambda: owns(worker, 9) and owns(worker, 8, "user "), within=40)  # noqa: B023
        wait_ready(second)
        second.kill()
        eventually(lambda: owns(first, 18) and owns(first, 16, "user "), within=40)
    bench.wait_for_all()
    bench.check()
    users = [f'lag_records{{partition="{number}",topic="{bench.users}"}} 0.0' for number in range(16)]
    eventually(lambda: all(lag in probe(first, "/metrics")[1] for lag in users), within=10, what="no lag of users")
    assert first.end(20) == 0


def test_without_the_users_topic_the_worker_says_what_to_do(settings: Settings, start: Start) -> None:
    bench = EngineBench(settings, start)
    delete(bench, bench.users)
    worker = bench.worker()
    assert worker.wait(30) == 1
    assert f"topics are missing: {bench.users}" in worker.output()
    assert "ringback topics create" in worker.output()
    create_topics(bench.bootstrap, {bench.users: 3})
    worker = bench.worker()
    assert worker.wait(30) == 1
    assert f"{bench.users} has 3 partitions, expected 4" in worker.output()
    assert f"--topic {bench.users} --partitions 4" in worker.output()
    assert "Traceback" not in worker.output()


def test_a_users_topic_that_was_recreated_is_read_from_its_beginning_and_the_log_says_so(
    settings: Settings, start: Start
) -> None:
    bench = EngineBench(settings, start)
    bench.send(bench.events, 1000)
    bench.send(bench.installs, 10)
    worker = bench.worker()
    bench.wait_for_all()
    assert worker.end(20) == 0
    delete(bench, bench.users)
    row = next(row for row in topic_table(settings.topic_prefix) if row.name == bench.users)
    create_topics(bench.bootstrap, {bench.users: 4}, row.config())
    worker = bench.worker()
    wait_ready(worker)
    bench.send(bench.events, 100)
    bench.wait_for_all()
    bench.check()
    assert re.search(rf"{bench.users} partition \d ends at offset 0, but \d+ has been applied", worker.output())
    assert "read from its beginning" in worker.output()
    assert worker.end(20) == 0


def delete(bench: EngineBench, topic: str) -> None:
    """Delete a topic; returns when it is gone."""
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    admin.delete_topics([topic])[topic].result(30)
    eventually(lambda: topic not in admin.list_topics(timeout=5).topics)
