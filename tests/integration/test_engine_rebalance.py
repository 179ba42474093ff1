"""Workers that come and go, and brokers that do (faults S3, S4, S5, S16)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiokafka
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from streams.engine import exits, transport
from streams.engine.stages import STAGES, Unit
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support import owning
from tests.support.engine_bench import EngineBench, owned, owns, pause, probe, traffic, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start, starting
from tests.support.topics import create_topics
from tests.support.waiting import eventually, eventually_async


@pytest.fixture
def bench(settings: Settings, start: Start) -> EngineBench:
    return EngineBench(settings, start)


def test_a_second_worker_joins_dies_and_comes_back_under_load(
    bench: EngineBench, make_settings: MakeSettings, tmp_path: Path
):
    other = make_settings(state_dir=tmp_path / "state-2")
    first = bench.worker()
    with traffic(bench):
        wait_ready(first)
        second = bench.worker(other)
        eventually(lambda: owns(first, 2) and owns(second, 2), within=30)
        pause(2)
        second.kill()
        eventually(lambda: owns(first, 4), within=40)
        second = bench.worker(other)
        eventually(lambda: owns(first, 2) and owns(second, 2), within=30)
        pause(1)
        assert second.end(20) == 0
        eventually(lambda: owns(first, 4), within=30)
    bench.wait_for_all()
    bench.check()
    assert first.end(20) == 0


def test_sigterm_finishes_and_commits_the_batch_and_exits_with_0(bench: EngineBench):
    with traffic(bench):
        for _ in range(3):
            worker = bench.worker()
            wait_ready(worker)
            pause(1)
            assert worker.end(20) == 0, worker.output()
            assert bench.acknowledged() == bench.applied()
    worker = bench.worker()
    bench.wait_for_all()
    bench.check()


def test_a_worker_that_stood_still_past_its_session_is_fenced(
    bench: EngineBench, make_settings: MakeSettings, tmp_path: Path
):
    zombie = bench.worker()
    with traffic(bench):
        wait_ready(zombie)
        zombie.pause()
        second = bench.worker(make_settings(state_dir=tmp_path / "state-2"))
        eventually(lambda: owns(second, 4), within=60)
        pause(2)
        zombie.resume()
        pause(8)
    bench.wait_for_all()
    bench.check()
    assert second.end(20) == 0


def test_partitions_whose_writer_was_fenced_off_while_the_group_counts_on_them_are_opened_anew(bench: EngineBench):
    worker = bench.worker()
    with traffic(bench):
        wait_ready(worker)
        pause(1)
        for stage in (*STAGES, "device"):
            # To the worker this looks as when brokers that were away have given its open transaction up.
            ready = [f"{Unit(stage, number)}: ready" for number in (0, 1)]
            before = [worker.output().count(one) for one in ready]
            writer = owning.claimants(bench.settings, Unit(stage, 1))[-1]
            Producer({"bootstrap.servers": bench.bootstrap, "transactional.id": writer}).init_transactions(10)
            eventually(
                lambda: all(worker.output().count(one) > was for one, was in zip(ready, before, strict=True)),  # noqa: B023
                within=30,
                what="all that the writer wrote for are open again",
            )
    bench.wait_for_all()
    bench.check()
    assert "may not be written as it is" in worker.output()
    assert worker.end(20) == 0


def test_a_worker_without_partitions_stays_in_the_group_and_takes_over(
    settings: Settings, start: Start, make_settings: MakeSettings, tmp_path: Path
):
    """aiokafka leaves a group when nothing has been fetched for so long, and comes back with the next fetch only."""
    bench = EngineBench(settings, start, partitions=1)
    soon = {"BROKER_MAX_POLL_INTERVAL": "2"}
    workers = [bench.worker(make_settings(state_dir=tmp_path / f"state-{number}"), "", **soon) for number in range(3)]
    for worker in workers:
        wait_ready(worker)
    pause(6)
    for worker in workers:
        assert probe(worker, "/readyz")[0] == 200, "it has left the group"
    idle_ones = [worker for worker in workers if not any(owned(worker, stage) for stage in ("", "user "))]
    assert len(idle_ones) in (1, 2), "the two stages' partitions lie with one process or with two"
    for worker in workers:
        if worker not in idle_ones:
            assert worker.end(20) == 0
    bench.send(bench.events, 20)
    bench.send(bench.installs, 20)
    bench.wait_for_all(60)
    bench.check()


MONTH_S = 30 * 86_400.0


async def test_a_member_that_has_not_fetched_for_a_month_stays_in_the_group_and_comes_back(bootstrap: str, prefix: str):
    create_topics(bootstrap, {f"{prefix}in": 1})
    member = aiokafka.AIOKafkaConsumer(
        f"{prefix}in",
        bootstrap_servers=bootstrap,
        group_id=f"{prefix}group",
        heartbeat_interval_ms=100,
        max_poll_interval_ms=transport.NEVER_MS,
    )
    await member.start()
    try:
        coordinator = member._coordinator
        await eventually_async(lambda: bool(member.assignment()), within=30)
        before = coordinator.generation
        member._subscription._last_fetch_ended -= MONTH_S
        await asyncio.sleep(1)
        assert coordinator.generation == before, "it has left the group"
        coordinator.request_rejoin()
        await eventually_async(lambda: coordinator.generation == before + 1, within=30, what="it comes back")
    finally:
        await member.stop()


#: Whoever is not told otherwise may do everything.
GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


def refuse(bootstrap: str, group: str) -> None:
    """Nobody may be in the group any more: heartbeats are answered so from now on."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    everybody = ("User:ANONYMOUS", "*", AclOperation.READ, AclPermissionType.DENY)
    denied = AclBinding(ResourceType.GROUP, group, ResourcePatternType.LITERAL, *everybody)
    admin.create_acls([denied])[denied].result(30)


def test_a_worker_without_partitions_that_its_group_refuses_ends(
    start: Start, make_settings: MakeSettings, tmp_path: Path
):
    """aiokafka tells of it who fetches, and does nothing more for the group until it has told."""
    with EmbeddedBroker(tmp_path / "guarded", extra=GUARDED) as guarded:
        settings = make_settings(bootstrap_servers=guarded.bootstrap)
        bench = EngineBench(settings, start, partitions=1)
        workers = [
            bench.worker(settings.model_copy(update={"state_dir": tmp_path / f"state-{number}"})) for number in range(3)
        ]
        for worker in workers:
            wait_ready(worker)
        eventually(lambda: any(not any(owned(one, stage) for stage in ("", "user ")) for one in workers), within=30)
        refuse(guarded.bootstrap, settings.worker_id)
        for worker in workers:
            assert worker.wait(30) == exits.CHECKPOINT_FAILED, worker.output()
            assert "GroupAuthorizationFailedError" in worker.output()


# Longer than a transaction may stay open, and than the session of a member of the group.
AWAY_S = 12


def test_a_broker_that_goes_away_and_comes_back(tmp_path: Path):
    with EmbeddedBroker(tmp_path / "kafka") as own:
        settings = Settings(
            bootstrap_servers=own.bootstrap,
            topic_prefix="t.",
            worker_id="t.worker",
            state_dir=tmp_path / "state",
            metrics_host="127.0.0.1",
            metrics_port=0,
            log_format="text",
        )
        with starting(settings, tmp_path) as start:
            bench = EngineBench(settings, start)
            worker = bench.worker()
            wait_ready(worker)
            bench.send(bench.events, 2000)
            own.shut_down()
            eventually(lambda: probe(worker, "/readyz")[0] == 503, within=30, what="not ready without a broker")
            pause(5)
            own.start()
            bench.send(bench.installs, 200)
            bench.wait_for_all(90)
            eventually(lambda: probe(worker, "/readyz")[0] == 200, within=30, what="ready again")
            bench.check()
            assert worker.end(20) == 0
