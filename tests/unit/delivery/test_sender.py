"""The flow of jobs through a sender without Kafka: what must not be lost, or stand still, unnoticed."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas.control import Control
from schemas.job import Deferred, Job, Request
from schemas.receipt import Receipt
from streams import probes
from streams.clock import ManualClock
from streams.delivery import app, attempts, outcomes
from streams.delivery import sender as flow
from streams.delivery.app import Bridge, Service, Session
from streams.delivery.consumer import Taken
from streams.delivery.offsets import Tracker
from streams.delivery.outcome import Outcome
from streams.delivery.outcomes import Fatal
from streams.delivery.secrets import SecretMissing
from streams.delivery.sender import Limits, Sender
from streams.delivery.settling import Record, Settling
from streams.delivery.shares import Part
from streams.delivery.tallies import Tallies
from streams.delivery.tiers import Tiers
from streams.errors import Stop
from streams.kafka import Topics
from streams.metrics import Metrics
from streams.settings import Settings
from streams.templates.finish import Finished
from tests.support.sending import configuration, job_for, partner_named, postback_named

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
        self.outcome = Outcome("answer", 200)

    def begin(self, request: Finished, timeout_ms: int, over: Callable[[Outcome], None]) -> asyncio.Task[None]:
        self.sent.append(request)
        return asyncio.get_running_loop().create_task(self._answer(over))

    async def _answer(self, over: Callable[[Outcome], None]) -> None:
        if self.answers is not None:
            await self.answers.wait()
        over(self.outcome)


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

    monkeypatch.setattr(attempts, "finish", fails)
    with capture_logs() as told:
        bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
        await turn()
    assert bench.outbox.errors()[-1] == ("terminal", "failed", "unrenderable: internal")
    assert (bench.sender.in_memory, bench.sender.in_flight) == (0, 0)
    assert told
    assert "s3cr3t" not in str(told)


@pytest.mark.parametrize("value", ["", "whsec_%"])
async def test_without_a_secret_to_sign_with_a_job_waits_uncharged(value: str) -> None:
    def secret(reference: str) -> str:
        if not value:
            raise SecretMissing(reference)
        return value

    bench = Bench(secret)
    bench.sender.configure(configuration([partner_named(signing_secrets=("${env:H}",))]))
    with capture_logs() as told:
        bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
        await turn()
    assert bench.wire.sent == []
    ((_, (record,)),) = bench.outbox.settled
    assert record.topic.startswith(TOPICS.delivery)
    assert msgspec.json.decode(record.value, type=Job).attempts == 0
    assert [line["reference"] for line in told] == ["env:H"]


async def test_an_answer_is_searched_for_the_secrets_of_its_own_partner() -> None:
    """Those of a thousand others took 13 ms for each answer of 4 KiB, in which nobody else was sent anything."""
    bench = Bench(secret=lambda reference: f"s3cr3t-of-{reference}")
    names = [f"p{number}" for number in range(200)]
    bench.sender.configure(configuration([partner_named(name) for name in names]))
    for number, name in enumerate(names):
        url = ("http://x.example/?k=", Deferred("text", f"${{env:{name}}}", (), "query"))
        job = job_for("", number, NOW, partner=name, request=Request("GET", url))
        bench.wire.outcome = Outcome("answer", 200, response=f"no s3cr3t-of-env:{name} here")
        bench.sender.taken([bench.record(job, number)])
        await turn()
    values = [record.value for _, records in bench.outbox.settled for record in records]
    told = [receipt.response for value in values if (receipt := msgspec.json.decode(value, type=Receipt)).response]
    assert told == [f"no ${{env:{name}}} here" for name in names]
    assert max(len(echoes._written) for echoes in bench.sender._attempts._echoes.values()) <= 6


async def test_a_reserved_job_is_sent_as_soon_as_its_lane_has_a_slot_and_keeps_its_time_otherwise() -> None:
    bench = Bench()
    bench.sender.configure(configuration([partner_named(rate_limit=1.0)]))
    later = [job_for("http://x.example/", n, NOW, due_at=NOW + 7_000 + n, reserved=True) for n in range(12)]
    far = job_for("http://x.example/", 99, NOW, due_at=NOW + 60_000, reserved=True)
    bench.sender.taken([bench.record(job, offset) for offset, job in enumerate([*later, far])])
    await turn()
    assert len(bench.wire.sent) == 1, "the rate is kept"
    records = [record for _, records in bench.outbox.settled for record in records]
    ((parked,), delivered) = ([r for r in records if r.topic.startswith(TOPICS.delivery)], len(records) - 1)
    assert delivered == 2
    assert msgspec.json.decode(parked.value, type=Job).due_at == far.due_at
    assert bench.sender.in_memory == 11
    for second in range(1, 12):
        bench.clock.advance(1_001)
        bench.sender.tick()
        await turn()
        assert len(bench.wire.sent) == min(12, 1 + second)


async def test_jobs_that_wait_to_be_due_have_memory_of_their_own_and_all_are_on_time() -> None:
    """250 a second over two partitions, all of them in their last eight seconds."""
    bench = Bench()
    other = Tracker(TOPICS.delivery, 1, 1, 0)
    bench.sender.assigned([other], 1.0, 1)
    for number in range(1_500):
        record = bench.record(job_for("http://x.example/", number, NOW, due_at=NOW + 1_000 + 4 * number), number // 2)
        bench.sender.taken([record if number % 2 else msgspec.structs.replace(record, tracker=other)])
    assert bench.outbox.settled == [], "none waits in a topic for longer than it may"
    assert bench.sender.room() == 1_000, "the lanes have theirs"


@pytest.mark.parametrize(("partitions", "step", "most"), [(1, 40, 545), (10, 1, flow.WAITING_MOST * 1_000)])
async def test_what_waits_in_memory_is_bounded(partitions: int, step: int, most: int) -> None:
    bench = Bench()
    trackers = [Tracker(TOPICS.delivery, n, 1, 0) for n in range(partitions)]
    bench.sender.assigned(trackers, 1.0, 1)
    for number in range(most + 100):
        job = job_for("http://x.example/", number, NOW, due_at=NOW + 7_000)
        place = divmod(number, len(trackers))
        taken = Taken(trackers[place[1]], None, step * place[0], NOW, b"k", msgspec.json.encode(job))
        bench.sender.taken([taken])
    assert bench.sender.in_memory == most
    assert len(bench.outbox.settled) == 100


async def test_jobs_that_come_back_together_are_looked_at_in_portions() -> None:
    """Requests of others go on between them."""
    bench = Bench()
    delay = Tracker(f"{TOPICS.delivery}.retry.8s", 0, 1, 0)
    bench.sender.assigned([delay], 1.0, 1)
    later = [msgspec.json.encode(job_for("http://x.example/", n, NOW, due_at=NOW + 1_000)) for n in range(250)]
    bench.sender.taken([Taken(delay, 0, n, NOW - 8_000, b"k", value) for n, value in enumerate(later)])
    seen = []
    for _ in range(4):
        bench.sender.tick()
        seen.append(bench.sender.in_memory)
    assert seen == [100, 200, 250, 250]


@pytest.mark.parametrize(
    ("age", "topic"),
    [(None, "32s"), (0, "32s"), (90, "32s"), (130, "64s"), (300, "128s"), (600, "256s"), (86_400, "256s")],
)
@pytest.mark.parametrize("configured", [False, True])
async def test_a_paused_job_waits_for_half_of_what_the_pause_has_lasted_in_one_hop(
    age: int | None, topic: str, configured: bool
) -> None:
    bench = Bench()
    since = None if age is None else NOW - age * 1_000
    if configured:
        paused = configuration([partner_named()], [postback_named(status="paused")])
        bench.sender.configure(paused)
        bench.clock.advance((age or 0) * 1_000)
        bench.sender.configure(paused)
    else:
        bench.sender.control("partner", "acme", Control(paused=True, since=since))
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    ((_, (record,)),) = bench.outbox.settled
    assert record.topic == f"{TOPICS.delivery}.retry.{topic}"


async def test_the_parts_that_are_given_hold_for_lanes_old_and_new() -> None:
    bench = Bench()
    bench.sender.configure(configuration([partner_named(), partner_named("other")]))
    bench.wire.answers = asyncio.Event()

    async def sent(partner: str, offset: int) -> int:
        jobs = [job_for("http://x.example/", n, NOW, partner=partner) for n in range(offset, offset + 5)]
        bench.sender.taken([bench.record(job, offset + n) for n, job in enumerate(jobs)])
        await turn()
        return len(bench.wire.sent)

    bench.sender.shared(lambda partner, share: Part(1.0, 2))
    assert await sent("acme", 0) == 2
    bench.sender.shared(lambda partner, share: Part(1.0, 3))
    await turn()
    assert len(bench.wire.sent) == 3
    assert await sent("other", 10) == 6
    share, work = bench.sender.work()
    assert share == 1.0
    assert [(one.partner.id, one.started, one.queued, one.in_flight) for one in work] == [
        ("acme", 3, 2, 3),
        ("other", 3, 2, 3),
    ]
    bench.sender.assigned([], 0.5, 1)
    bench.sender.configure(configuration([partner_named(), partner_named("other")], generation=2))
    await turn()
    assert len(bench.wire.sent) == 6, "neither other partitions nor another generation give more"
    bench.sender.lost([bench.tracker])
    assert bench.sender.work()[0] == 0.0


async def test_an_attempt_that_fails_by_our_own_fault_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def fails(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(attempts, "rule", fails)
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    with pytest.raises(Fatal, match="RuntimeError at fails"):
        bench.sender.tick()


async def test_a_start_that_fails_by_our_own_fault_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def fails(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(bench.sender._attempts, "begin", fails)
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    with pytest.raises(Fatal, match="RuntimeError at fails"):
        bench.sender.tick()


async def test_what_ends_when_its_partition_is_anothers_pauses_nobody() -> None:
    """Its pause could not be written, so nobody could take it back."""
    bench = Bench()
    answers = bench.wire.answers = asyncio.Event()
    bench.wire.outcome = Outcome("answer", 410)
    bench.sender.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    bench.sender.lost([bench.tracker])
    answers.set()
    await turn()
    assert bench.sender.in_flight == 0
    assert not bench.sender._rules.partner_controls


async def test_a_lane_that_has_run_out_of_jobs_is_told_once() -> None:
    bench = Bench()
    bench.sender.configure(configuration([partner_named(max_in_flight=1)]))
    bench.wire.answers = asyncio.Event()
    bench.sender.taken(bench.record(job_for("http://x.example/", n, NOW), n) for n in range(2))
    await turn()
    assert not bench.sender.hungry()
    bench.wire.answers.set()
    await turn(10)
    assert len(bench.wire.sent) == 2
    assert (bench.sender.hungry(), bench.sender.hungry()) == (True, False)


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


async def test_a_revoke_whose_outcomes_cannot_be_committed_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit would pass over them."""
    bench = Bench()
    failed: list[Exception] = []
    bridge = Bridge(bench.sender, probes.Readiness("assigned"), Settings(), failed.append)

    async def fails(*_: object) -> None:
        raise Fatal("fenced")

    monkeypatch.setattr(bench.outbox, "flush", fails, raising=False)
    await asyncio.to_thread(bridge.revoked, [bench.tracker])
    await turn()
    assert [str(error) for error in failed] == ["fenced"]
    assert not bench.tracker.open


async def test_what_is_read_when_the_end_has_begun_is_not_sent() -> None:
    """It would be torn off, and sent again by the next sender."""
    bench = Bench()
    bridge = Bridge(bench.sender, probes.Readiness("assigned"), Settings(), lambda error: None)
    bridge.closed = True
    bridge.taken([bench.record(job_for("http://x.example/", now=NOW))])
    await turn()
    assert bench.wire.sent == []
    assert bridge.room() == 0


async def test_an_end_during_a_commit_that_fails_is_none_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was of is sent again: whoever started this process must not take it for done."""
    committing, failing = threading.Event(), threading.Event()

    def commit(*_: object) -> None:
        committing.set()
        failing.wait(10)
        raise Fatal("a broker went away")

    class Begun(Session):
        """Without a broker."""

        def __init__(self, service: Service) -> None:
            super().__init__(service)
            self._outbox = self._sender._outbox = outcomes.Outbox(commit, 50, service.metrics)
            tracker = Tracker(TOPICS.delivery, 0, 1, 0)
            tracker.take(0)
            self._outbox.put(tracker, 0)

        def _start(self) -> None:
            pass

    monkeypatch.setattr(app, "Session", Begun)
    service = Service(Settings(bootstrap_servers="127.0.0.1:9"))
    running = asyncio.create_task(service._session())
    assert await asyncio.to_thread(committing.wait, 10)
    service.stopping.set()
    await asyncio.sleep(0.1)
    failing.set()
    await asyncio.wait_for(running, 30)
    await service.wire.close()
    assert service.status == app.UNFINISHED


async def test_sessions_that_fail_one_after_the_other_are_begun_anew_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each sends again what was under way, and what fails each time is nothing that a partner should notice often."""

    class Failing:
        def __init__(self, service: Service) -> None: ...

        async def run(self) -> None:
            raise outcomes.Fatal("too large for its topic")

    waited: list[float] = []

    def before_another(fallen: int, real: Callable[[int], float] = app.before_another) -> float:
        waited.append(real(fallen))
        return 0.0

    assert app.before_another(100_000) == 10.0, "an outage may last for days"
    monkeypatch.setattr(app, "Session", Failing)
    monkeypatch.setattr(app, "before_another", before_another)
    service = Service(Settings(bootstrap_servers="127.0.0.1:9"))
    for _ in range(8):
        await service._session()
    assert waited == [1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    monkeypatch.setattr(app, "WELL_SECONDS", 0.0)
    await service._session()
    assert waited[-1] == 1.0
    await service.wire.close()


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
        bench.sender._lanes["acme"].breaker.record(False, NOW, NOW)
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
        lane.breaker.record(False, NOW, NOW)
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


def test_nothing_that_is_noted_is_kept_when_nobody_reads_the_metrics() -> None:
    metrics = Metrics()
    tallies, job = Tallies(metrics), job_for("http://x.example/", now=NOW)
    for _ in range(10):
        tallies.sent(job, NOW)
        tallies.tell()
    assert not tallies._seconds
    metrics.before_reading = None
    assert metrics.registry.get_sample_value("ringback_delivery_lateness_seconds_count", {"partner": "acme"}) == 10


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
