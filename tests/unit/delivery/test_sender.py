"""The flow of jobs through a sender without Kafka: what must not be lost, or stand still, unnoticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas.control import Control
from schemas.job import Job
from schemas.receipt import Receipt
from streams import probes
from streams.clock import ManualClock
from streams.delivery import sender as flow
from streams.delivery.app import Bridge, Service
from streams.delivery.consumer import Taken
from streams.delivery.offsets import Tracker
from streams.delivery.outcome import Outcome
from streams.delivery.sender import Limits, Sender
from streams.delivery.settling import Record, Settling
from streams.delivery.tallies import Tallies
from streams.delivery.tiers import Tiers
from streams.errors import Stop
from streams.kafka import Topics
from streams.metrics import Metrics
from streams.settings import Settings
from streams.templates.finish import Finished
from tests.support.sending import configuration, job_for, partner_named

NOW = 1_760_000_000_000
TOPICS = Topics("r.")


class Outbox:
    """Keeps what is settled."""

    def __init__(self) -> None:
        self.late = False
        self.settled: list[tuple[int, tuple[Record, ...]]] = []

    def __len__(self) -> int:
        return len(self.settled)

    def put(self, tracker: Tracker, offset: int, records: tuple[Record, ...] = ()) -> None:
        self.settled.append((offset, records))

    def errors(self) -> list[tuple[str, str, str | None]]:
        found = [r.value for _, records in self.settled for r in records if r.topic == TOPICS.receipts]
        receipts = [msgspec.json.decode(value, type=Receipt) for value in found]
        return [(receipt.kind, receipt.outcome, receipt.error) for receipt in receipts]


class Wire:
    """Answers 200, once it may."""

    def __init__(self) -> None:
        self.sent: list[Finished] = []
        self.answers: asyncio.Event | None = None

    async def send(self, request: Finished, deadline: int) -> Outcome:
        self.sent.append(request)
        if self.answers is not None:
            await self.answers.wait()
        return Outcome("answer", 200)


class Bench:
    """A sender that owns one partition."""

    def __init__(self, secret: Callable[[str], str] = str) -> None:
        self.outbox, self.wire, self.metrics = Outbox(), Wire(), Metrics()
        self.clock = ManualClock(NOW)
        self.sender = Sender(
            limits=Limits(),
            settling=Settling(TOPICS, Tiers()),
            clock=self.clock,
            wire=cast(Any, self.wire),
            outbox=cast(Any, self.outbox),
            tallies=Tallies(self.metrics),
            secret=secret,
            read_on=lambda tracker: None,
            control_topic=TOPICS.control,
        )
        self.tracker = Tracker(TOPICS.delivery, 0, 1, 0)
        self.sender.configure(configuration([partner_named()]))
        self.sender.assigned([self.tracker], 1.0, 1)

    def record(self, job: Job, offset: int = 0) -> Taken:
        return Taken(self.tracker, None, offset, NOW, b"k", msgspec.json.encode(job))


async def turn(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_a_job_is_sent_and_settled() -> None:
    bench = Bench()
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    assert [request.url for request in bench.wire.sent] == ["http://x.example/"]
    assert [error for _, _, error in bench.outbox.errors()] == [None, None]


async def test_a_request_that_cannot_be_finished_ends_its_job_and_frees_its_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()

    def fails(*_: object, **__: object) -> Finished:
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(flow, "finish", fails)
    with capture_logs() as told:
        bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
        await turn()
    assert bench.outbox.errors()[-1] == ("terminal", "failed", "unrenderable: internal")
    assert (bench.sender.in_memory, bench.sender.in_flight) == (0, 0)
    assert told
    assert "s3cr3t" not in str(told)


async def test_an_attempt_that_fails_by_our_own_fault_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def fails(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(flow, "rule", fails)
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    with pytest.raises(RuntimeError, match="unforeseen"):
        bench.sender.tick()


async def test_nothing_is_read_while_nothing_can_be_committed() -> None:
    bench = Bench()
    assert bench.sender.room() == 1_000
    bench.outbox.late = True
    assert bench.sender.room() == 0


async def test_records_that_were_read_and_not_worked_on_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit would pass over them."""
    bench = Bench()
    failed: list[Exception] = []
    bridge = Bridge(bench.sender, probes.Readiness("assigned"), Settings(), failed.append)

    def fails(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(bench.sender, "_advance", fails)
    bridge.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    assert [str(error) for error in failed] == ["unforeseen"]


async def test_a_sender_without_its_partitions_is_not_ready() -> None:
    bench = Bench()
    readiness = probes.Readiness("assigned")
    bridge = Bridge(bench.sender, readiness, Settings(), lambda error: None)
    bridge.assigned([bench.tracker], 1.0)
    assert readiness.ready
    bridge.lost([bench.tracker])
    assert "assigned" in readiness.unmet()


async def test_jobs_that_wait_in_memory_to_fall_due_are_told_as_waiting() -> None:
    bench = Bench()
    soon = job_for("http://x.example/", 2, NOW, due_at=NOW + 3_000)
    bench.sender.taken([bench.record(job_for("http://x.example/", 1, NOW)), bench.record(soon, 1)])
    await turn()
    for _ in range(flow.REVIEW_TICKS):
        bench.sender.tick()
    assert bench.metrics.registry.get_sample_value("ringback_jobs_waiting", {"partner": "acme"}) == 1


async def test_what_holds_a_partner_is_told() -> None:
    bench = Bench()
    held = {reason: {"partner": "acme", "reason": reason} for reason in ("hold", "breaker", "pause")}

    def told() -> set[str]:
        for _ in range(flow.REVIEW_TICKS):
            bench.sender.tick()
        value = bench.metrics.registry.get_sample_value
        return {reason for reason, labels in held.items() if value("ringback_partner_held", labels)}

    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    assert told() == set()
    bench.sender.control("partner", "acme", Control(hold_until=NOW + 60_000))
    assert told() == {"hold"}
    bench.sender.control("partner", "acme", Control(paused=True))
    assert told() == {"pause"}
    bench.sender.control("partner", "acme", None)
    assert told() == set()
    for _ in range(20):
        bench.sender._lanes["acme"].breaker.record(False, NOW)
    assert told() == {"breaker"}
    bench.sender.configure(configuration([partner_named("other")]))
    assert told() == set(), "nobody asks about a partner that is gone"


async def test_a_breaker_holds_a_partner_only_while_somebody_wants_to_reach_it() -> None:
    bench = Bench()
    labels = {"partner": "acme", "reason": "breaker"}

    def told() -> float | None:
        for _ in range(flow.REVIEW_TICKS):
            bench.sender.tick()
        return bench.metrics.registry.get_sample_value("ringback_partner_held", labels)

    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    lane = bench.sender._lanes["acme"]
    for _ in range(20):
        lane.breaker.record(False, NOW)
    assert told() == 1
    bench.clock.advance(lane.breaker.until - NOW)
    assert lane.breaker.look(bench.clock.now()) == "probing"
    assert told() == 0, "there is nothing to probe it with"

    answers = bench.wire.answers = asyncio.Event()
    for offset in (1, 2):
        bench.sender.taken([bench.record(job_for("http://x.example/", offset, bench.clock.now()), offset)])
    await turn()
    assert (lane.in_flight, len(lane.queue)) == (1, 1)
    assert told() == 1, "one is the probe, the other waits for it"
    answers.set()
    await turn(20)
    assert lane.idle
    assert told() == 0


async def test_a_pause_is_told_of_partners_that_are_configured() -> None:
    bench = Bench()

    def told() -> float | None:
        labels = {"partner": "acme", "reason": "pause"}
        return bench.metrics.registry.get_sample_value("ringback_partner_held", labels)

    bench.sender.control("partner", "acme", Control(paused=True))
    assert told() == 1
    bench.sender.configure(configuration([partner_named("other")]))
    assert told() == 0, "nobody waits for a partner that is gone"
    bench.sender.control("partner", "acme", Control(paused=True, reason="again"))
    assert told() == 0
    bench.sender.configure(configuration([partner_named()]))
    assert told() == 1, "the pause is still in force"


async def test_a_sender_whose_port_is_taken_drops_its_connections() -> None:
    closed = []

    class Closing(Wire):
        async def close(self) -> None:
            closed.append(True)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(metrics_host="127.0.0.1", sender_metrics_port=taken.getsockname()[1])
        with pytest.raises(Stop, match="cannot be opened"):
            await Service(settings, wire=Closing()).run()
    assert closed


async def test_what_waits_in_the_delay_topics_is_told() -> None:
    bench = Bench()
    topic = TOPICS.retry("16s")
    delay = Tracker(topic, 0, 1, 0)
    bench.sender.assigned([delay], 1.0, 1)
    bench.sender.unread = {topic: 3, TOPICS.retry("8s"): 0}
    value = bench.metrics.registry.get_sample_value
    bench.sender.taken([Taken(delay, 1, n, NOW - 1_000 + n, b"k", b"later") for n in range(2)])
    for _ in range(flow.TELL_TICKS):
        bench.sender.tick()
    assert value("ringback_jobs_delayed", {"topic": topic}) == 5
    assert value("ringback_next_due_seconds", {"topic": topic}) == 15
    assert value("ringback_jobs_delayed", {"topic": TOPICS.retry("8s")}) == 0
    assert value("ringback_jobs_limit") == 1_000
    bench.sender.lost([delay, bench.tracker])
    for _ in range(flow.TELL_TICKS):
        bench.sender.tick()
    assert value("ringback_jobs_delayed", {"topic": topic}) is None
    assert value("ringback_next_due_seconds", {"topic": topic}) is None
    assert value("ringback_jobs_limit") == 0


def test_a_new_session_forgets_the_lanes_of_the_old_one_and_counts_from_nothing() -> None:
    metrics = Metrics()
    Tallies(metrics).lane("acme", 3, 4, True, False)
    Tallies(metrics)
    value = metrics.registry.get_sample_value
    assert value("ringback_jobs_in_flight", {"partner": "acme"}) is None
    assert value("ringback_partner_held", {"partner": "acme", "reason": "hold"}) is None
    assert value("ringback_dead_letters_total", {"kind": "job", "reason": "poison"}) == 0


def test_a_refused_address_is_told_to_the_log_now_and_then() -> None:
    metrics = Metrics()
    tallies, job = Tallies(metrics), job_for("http://x.example/", now=NOW)
    with capture_logs() as told:
        for seconds in (0, 1, 59, 61):
            tallies.blocked(job, "blocked: 127.0.0.1", NOW + seconds * 1000)
    assert [(line["partner"], line["error"]) for line in told] == [(job.partner, "blocked: 127.0.0.1")] * 2
    assert "RINGBACK_EGRESS_ALLOW" in told[0]["event"]
    value = metrics.registry.get_sample_value
    assert value("ringback_egress_blocked_total", {"partner": job.partner}) == 4
