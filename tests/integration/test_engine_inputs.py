"""What the engine makes of its inputs: codecs, aborted transactions, backlogs, holds, and what it refuses (S7, S11,
S14, S17).
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from streams.engine.exits import CHECKPOINT_FAILED, RESTART
from streams.engine.stages import changelog_topic
from streams.kafka import Topics
from streams.settings import Settings
from tests.support.engine_bench import PARTITIONS, EngineBench, probe, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.topics import Sent, create_topics, produce
from tests.support.waiting import eventually


@pytest.fixture
def bench(settings: Settings, start: Start) -> EngineBench:
    return EngineBench(settings, start)


def test_every_codec_is_read_and_aborted_records_never_are(bench: EngineBench):
    worker = bench.worker()
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        bench.send(bench.events, 200, compression_type=codec)
    producer = _writer(bench, bench.installs)
    for round_number in range(4):
        producer.begin_transaction()
        for number in range(50):
            producer.produce(bench.installs, b"aborted" if round_number % 2 else b"x", b"k%d" % number)
        if round_number % 2:
            producer.flush()
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            bench.sent[bench.installs] += 50
    bench.wait_for_all()
    bench.check()
    # Only control records lie behind what was read: the lag must be 0 all the same.
    eventually(lambda: not _lag(probe(worker, "/metrics")[1]), within=10, what="no lag")
    assert worker.end(20) == 0


def _writer(bench: EngineBench, topic: str) -> Producer:
    """A user's transactional producer."""
    settings = {
        "bootstrap.servers": bench.bootstrap,
        "transactional.id": f"{topic}-writer",
        "partitioner": "murmur2_random",
    }
    producer = Producer(settings)
    producer.init_transactions()
    return producer


def _lag(metrics: str) -> float:
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("ringback_lag_records{"))


def test_an_open_transaction_of_one_source_holds_up_the_other(bench: EngineBench):
    """A record of it may still become visible with an append time before those of the other."""
    worker = bench.worker()
    wait_ready(worker)
    producer = _writer(bench, bench.installs)
    producer.begin_transaction()
    producer.produce(bench.installs, b"x", b"k1", 1)
    producer.flush()
    time.sleep(0.1)
    produce(bench.bootstrap, bench.events, [Sent(b"x", b"k1", 1)])
    bench.sent[bench.events] += 1
    time.sleep(1.5)
    assert bench.told() == []
    producer.commit_transaction()
    bench.sent[bench.installs] += 1
    bench.wait_for_all()
    bench.check()
    assert [value["from"] for _, _, value in bench.told()] == [bench.installs, bench.events]
    assert worker.end(20) == 0


def test_a_backlog_is_processed_in_the_order_of_append_times_whatever_the_sizes(bench: EngineBench):
    for _ in range(10):
        bench.send(bench.events, 2000, keys=500)
        bench.send(bench.installs, 40, keys=500)
    bench.worker()
    bench.wait_for_all()
    bench.check()


def test_holds_are_released_by_progress_when_nothing_else_comes(bench: EngineBench):
    worker = bench.worker()
    wait_ready(worker)
    produce(bench.bootstrap, bench.events, [Sent(b"hold:8000", b"k", 2)])
    eventually(lambda: _held(probe(worker, "/metrics")[1]) == 1, what="held")
    assert bench.told() == []
    worker.kill()  # the index of holds is read again from the state
    begun = time.monotonic()
    bench.worker()
    told = eventually(bench.told, within=40)
    assert told[0][2]["progress"] > told[0][2]["due"]
    assert len(told) == 1
    assert time.monotonic() - begun < 35


def _held(metrics: str) -> float:
    return next(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("ringback_records_held "))


def test_what_is_held_of_a_backlog_waits_for_what_was_appended_before_it_was_due(
    bench: EngineBench, make_settings: MakeSettings
):
    """Long due by the clock when it is read, and its install is the next record behind it."""
    produce(bench.bootstrap, bench.events, [Sent(b"hold:2000", b"k", 2)])
    produce(bench.bootstrap, bench.installs, [Sent(b"x", b"k", 2)])
    worker = bench.worker(make_settings(batch_records=1))
    eventually(lambda: len(bench.told()) == 2, within=40)
    assert [value.get("from", "released") for _, _, value in bench.told()] == [bench.installs, "released"]
    assert worker.end(20) == 0


def test_a_source_that_is_mostly_bad_pauses_with_an_alert(bench: EngineBench, make_settings: MakeSettings):
    settings = make_settings(dead_letter_window=100, dead_letter_limit=50, batch_records=50)
    bench.send(bench.events, 2000, value=b"bad")
    bench.send(bench.installs, 10)
    worker = bench.worker(settings)
    eventually(lambda: f'source_paused{{source="{bench.events}"}} 1.0' in _metrics(worker), within=30, what="paused")
    time.sleep(1)
    assert len(bench.told()) < 1000
    assert "is paused" in worker.output()


def _metrics(worker) -> str:
    return probe(worker, "/metrics")[1] if "probes: http" in worker.output() else ""


def test_a_record_in_the_wrong_partition_stops_the_worker_with_the_remedy_and_applies_nothing(bench: EngineBench):
    produce(bench.bootstrap, bench.events, [Sent(b"x", b"k", 0), Sent(b"wrong", b"k", 0)])
    worker = bench.worker()
    assert worker.wait(60) == 3
    assert "key it right" in worker.output()
    assert "Traceback" not in worker.output()
    assert bench.told() == []


def test_a_missing_topic_stops_the_worker_with_the_remedy(bench: EngineBench):
    worker = bench.worker(sources=f"{bench.events}:event,nowhere:install")
    assert worker.wait(30) == 1
    assert "ringback topics create" in worker.output()
    assert "Traceback" not in worker.output()


def test_unequal_numbers_of_partitions_stop_the_worker(bench: EngineBench):
    create_topics(bench.bootstrap, {f"{bench.events}-7": 7})
    worker = bench.worker(sources=f"{bench.events}:event,{bench.events}-7:install")
    assert worker.wait(30) == 1
    assert f"{bench.events} has 4 partitions, {bench.events}-7 has 7" in worker.output()
    assert "same number" in worker.output()


def take_at_most(bench: EngineBench, topic: str, size: int) -> None:
    """Let a topic refuse larger batches of records."""
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    limit = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[limit])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def test_a_topic_that_refuses_what_is_written_ends_the_worker_and_nothing_is_lost(bench: EngineBench):
    worker = bench.worker()
    wait_ready(worker)
    take_at_most(bench, bench.delivery, 100)
    bench.send(bench.events, 10)
    assert worker.wait(60) == CHECKPOINT_FAILED
    assert "max.message.bytes" in worker.output()
    assert bench.told() == []
    take_at_most(bench, bench.delivery, 1_048_588)
    worker = bench.worker()
    bench.wait_for_all()
    bench.check()


def test_dead_letters_that_would_refuse_a_large_one_stop_the_worker(bench: EngineBench, settings: Settings):
    take_at_most(bench, Topics(settings.topic_prefix).dead_letters, 1_048_588)
    worker = bench.worker()
    assert worker.wait(30) == 1
    assert "max.message.bytes is 1048588" in worker.output()
    assert "Traceback" not in worker.output()


def test_a_state_directory_that_cannot_be_made_stops_the_worker(
    make_settings: MakeSettings, start: Start, tmp_path: Path
):
    (tmp_path / "file").write_text("in the way")
    worker = start("worker", with_settings=make_settings(state_dir=tmp_path / "file"))
    assert worker.wait(30) == 2
    assert "RINGBACK_STATE_DIR" in worker.output()
    assert "Traceback" not in worker.output()


def test_a_changelog_of_another_number_of_partitions_stops_the_worker(bench: EngineBench, settings: Settings):
    create_topics(bench.bootstrap, {changelog_topic(settings): 3}, {"cleanup.policy": "compact"})
    worker = bench.worker()
    assert worker.wait(30) == 1
    assert "the state was built for 3" in worker.output()


def add_partitions(bench: EngineBench, *topics: str) -> None:
    """Give these topics one more than they have."""
    wanted = [NewPartitions(topic, PARTITIONS + 1) for topic in topics]
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    for done in admin.create_partitions(wanted).values():
        done.result(30)


def test_partitions_that_are_added_are_seen_and_refused_with_the_way_out(
    bench: EngineBench, make_settings: MakeSettings
):
    settings = make_settings(kafka_options={"metadata.max.age.ms": "1000"})
    worker = bench.worker(settings)
    wait_ready(worker)
    add_partitions(bench, bench.installs, bench.events)
    assert worker.wait(60) == RESTART, worker.log_tail()
    assert "Traceback" not in worker.output()
    names = Topics(settings.topic_prefix)
    add_partitions(bench, names.users, names.delivery, names.dead_letters, names.decisions, names.report)
    worker = bench.worker(settings)
    assert worker.wait(30) == 1
    assert "have 5 partitions, but the state was built for 4" in worker.output()
    assert "under a new RINGBACK_WORKER_ID" in worker.output()


def test_a_topic_that_was_recreated_stops_the_worker(bench: EngineBench):
    bench.send(bench.events, 1000)
    bench.send(bench.installs, 10)
    worker = bench.worker()
    bench.wait_for_all()
    assert worker.end(20) == 0
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    admin.delete_topics([bench.events])[bench.events].result(30)
    eventually(lambda: bench.events not in admin.list_topics(timeout=5).topics)
    create_topics(bench.bootstrap, {bench.events: 4})
    worker = bench.worker()
    assert worker.wait(60) == 1
    assert "recreated" in worker.output()
    assert "Traceback" not in worker.output()


def test_without_a_broker_the_worker_says_so_and_waits(make_settings: MakeSettings, start: Start):
    settings = make_settings(bootstrap_servers="127.0.0.1:1")
    worker = start(module="tests.support.engine_toy", with_settings=settings, RINGBACK_TEST_SOURCES="i:install")
    eventually(lambda: "does not answer" in worker.output(), within=20)
    status, body = probe(worker, "/readyz")
    assert status == 503
    assert "kafka" in body
    assert "Traceback" not in worker.output()
    assert worker.end(20) == 0
