"""Partners that hang, fail, are paused or removed while jobs are queued (D6, D14, D23, D25)."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from schemas.control import Control
from streams import kafka
from streams.config import control
from streams.delivery import consumer, heads
from streams.delivery.breaker import BreakerLimits
from streams.delivery.lanes import LaneLimits
from streams.delivery.sender import WAITING_MOST, Sender
from streams.local.exchange import HANG, OK, Answer
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.fixtures import MakeSettings
from tests.support.sending import (
    QUICK,
    Bench,
    Running,
    configuration,
    ended,
    job_for,
    partner_named,
    postback_named,
    sending,
)
from tests.support.waiting import eventually_async

POLL_MS = 6_000


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    return made


def most_within(times: Sequence[int], window: int) -> int:
    """The most of these (ms) within any window."""
    ranked = sorted(times)
    return max(index + 1 - bisect_left(ranked, at - window + 1) for index, at in enumerate(ranked))


@asynccontextmanager
async def watched(running: Running) -> AsyncIterator[list[int]]:
    """How many jobs were in memory, again and again meanwhile."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            sender = running.service.sender
            seen.append(sender.in_memory if sender is not None else 0)
            await asyncio.sleep(0.005)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


def sender_of(running: Running) -> Sender:
    assert running.service.sender is not None
    return running.service.sender


def members(settings: Settings) -> int:
    """Of the senders' group, as its coordinator has them."""
    admin = AdminClient(kafka.admin_settings(settings))
    return len(admin.describe_consumer_groups([settings.sender_group])[settings.sender_group].result(10).members)


async def test_when_all_partners_hang_the_member_stays_and_memory_is_bounded(
    make_settings: MakeSettings, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kafka.consumer_settings

    def impatient(settings: Settings, **more: Any) -> dict[str, Any]:
        """A group that wants to hear of its members' work after seconds, not minutes."""
        own = {"max_poll_interval_ms": POLL_MS, "session_timeout_ms": POLL_MS}
        return real(settings, **(more | own if "partition_assignment_strategy" in more else more))

    monkeypatch.setattr(kafka, "consumer_settings", impatient)
    settings = make_settings(prefetch=20, grace=1_000)
    names = ["one", "two", "three"]
    bench.configure(configuration([partner_named(name, timeout=30_000) for name in names]))
    async with Partner() as partner, sending(settings) as running:
        partner.default = lambda _: HANG
        bench.decide(job_for(partner.url("/i"), n, partner=names[n % 3]) for n in range(600))
        async with watched(running) as memory:
            await eventually_async(lambda: partner.in_flight >= 80, what="all memory waits for an answer")
            before, begun = set(sender_of(running).trackers), time.monotonic()
            await eventually_async(lambda: time.monotonic() > begun + 1.5 * POLL_MS / 1000, within=20)
            assert sender_of(running).trackers == before, "the partitions were lost"
            assert await asyncio.to_thread(members, settings) == 1, "it is out of the group, and has not heard of it"
            assert running.service.readiness.ready
        # Four partitions of 20.
        assert max(memory) <= 80


async def test_a_breaker_opens_probes_and_closes_and_the_backlog_drains_at_the_limit(
    bench: Bench, settings: Settings
) -> None:
    breaker = BreakerLimits(least=20, first_pause=500, longest_pause=1_000)
    limits = QUICK._replace(lane=LaneLimits(soon=200, breaker=breaker))
    bench.configure(configuration([partner_named(rate_limit=200, max_in_flight=20)]))
    well = False
    async with Partner() as partner, sending(settings, limits) as running:
        partner.rule("/i", lambda _: OK if well else Answer(status=500))
        bench.decide(job_for(partner.url("/i"), n, retry_attempts=10) for n in range(500))
        held = {"partner": "acme", "reason": "breaker"}
        await eventually_async(lambda: running.counted("partner_held", **held) == 1, what="the breaker is open")
        opened, begun = partner.count, time.monotonic()
        assert opened < 100
        await eventually_async(lambda: partner.count >= opened + 3, what="three probes")
        # They come after 0.5 s (perhaps begun before we looked), 1 s, and 1 s.
        assert time.monotonic() - begun > 1.5
        well = True
        since = len(partner.requests)
        await ended(bench, 500)
    assert bench.outcomes() == {"delivered": 500}
    times = [request.at for request in partner.requests[since:]]
    assert most_within(times, 1_000) <= 220
    assert partner.most_in_flight <= 20
    attempts = [receipt for receipt in bench.receipts() if receipt.kind == "attempt"]
    assert len(attempts) == partner.count, "an open breaker was charged as an attempt"


async def test_queued_jobs_stop_with_their_partner_and_go_on_at_its_limit(bench: Bench, settings: Settings) -> None:
    acme, gone = partner_named(rate_limit=50), partner_named("gone")
    later = postback_named("later-shadow", partner="acme")
    bench.configure(configuration([acme, gone], [later]))
    await asyncio.to_thread(control.write_control, settings, "partner", "acme", Control(paused=True))
    async with Partner() as partner, sending(settings) as running:
        url, now = partner.url("/i"), int(time.time() * 1000)
        bench.decide(job_for(url, n) for n in range(60))
        bench.decide(job_for(url, n, partner="gone", due_at=now + 3_000) for n in range(100, 120))
        bench.decide(job_for(url, n, postback_id="later-shadow", due_at=now + 3_000) for n in range(200, 220))
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="paused") >= 60)
        shadow = postback_named("later-shadow", partner="acme", status="shadow")
        await asyncio.to_thread(bench.configure, configuration([acme], [shadow], generation=2))
        await ended(bench, 40)
        assert partner.count == 0
        await asyncio.to_thread(control.write_control, settings, "partner", "acme", None)
        await ended(bench, 100)
    assert bench.outcomes() == {"suppressed": 40, "delivered": 60}
    errors = {name: receipts[0].error for name, receipts in bench.terminal().items() if int(name[4:]) >= 100}
    assert {errors[f"job-{n}"] for n in range(100, 120)} == {"partner_removed"}
    assert {errors[f"job-{n}"] for n in range(200, 220)} == {"shadow"}
    assert all(receipt.attempt == 1 for receipt in bench.receipts() if receipt.kind == "attempt")
    assert most_within([request.at for request in partner.requests], 500) <= 25 * 1.1 + 2


async def test_a_backlog_for_a_stuck_partner_leaves_memory_and_the_way_free(
    make_settings: MakeSettings, bench: Bench
) -> None:
    settings = make_settings(prefetch=50)
    stuck = partner_named("stuck", timeout=3_000, max_in_flight=10)
    bench.configure(configuration([stuck, partner_named("well")]))
    async with Partner() as partner, sending(settings) as running, watched(running) as memory:
        partner.rule("/stuck", lambda _: HANG)
        bench.decide(job_for(partner.url("/stuck"), n, partner="stuck") for n in range(6_000))
        bench.decide(job_for(partner.url("/well"), n, partner="well") for n in range(6_000, 6_500))
        await eventually_async(lambda: running.counted("postbacks_finished_total", **WELL) >= 500, within=30)
        assert running.counted("retries_total", partner="stuck", reason="lane") > 4_000
    # Four partitions of 50, and those that wait for their last moments.
    assert max(memory) <= (1 + WAITING_MOST) * 4 * 50


async def test_what_comes_due_while_no_sender_runs_is_not_read_all_at_once(
    bench: Bench, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "UNOPENED", 500)
    bench.configure(configuration([partner_named()], [postback_named(status="paused")]))
    bench.decide((job_for("http://x.example/", n) for n in range(40_000)), bench.topics.retry("8s"))
    seen = []
    async with sending(settings) as running:

        def all_put_away() -> bool:
            seen.append(len(sender_of(running)._heads))
            return running.counted("retries_total", partner="acme", reason="paused") >= 40_000

        await eventually_async(all_put_away, within=60, every=0.01)
    # Four partitions, each with what it may have, what was left of it, and the batch that was over it.
    assert max(seen) <= 4 * (500 + heads.FEW + consumer.BATCH)


WELL = {"app": "game", "partner": "well", "postback": "acme-install", "event": "install", "outcome": "delivered"}
