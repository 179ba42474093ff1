"""`ringback pause` and `ringback resume` act on a sender that runs, and on the jobs that wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from schemas.control import Control, Target, encode
from streams.config import control
from streams.delivery.lanes import LaneLimits
from streams.delivery.retry import Backoff
from streams.delivery.sender import Limits
from streams.delivery.tiers import Tiers
from streams.local.exchange import Answer, retry_after
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.sending import (
    Bench,
    Running,
    configuration,
    job_for,
    partner_named,
    postback_named,
    sending,
)
from tests.support.waiting import eventually_async

__all__ = ["ringback"]

#: A command that the event loop goes on beside.
Command = Callable[..., Awaitable[tuple[int, str, str]]]
ACME, BUSY = Target("partner", "acme"), Target("partner", "busy")


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    return made


@pytest.fixture
def command(ringback: Run) -> Command:
    async def run(*arguments: str) -> tuple[int, str, str]:
        status, said, notes = await asyncio.to_thread(ringback, *arguments)
        # The log of the sender, which runs in this process, comes between.
        own = [line for line in said.splitlines() if "[info" not in line and "[error" not in line]
        return status, "\n".join(own), notes

    return run


async def looked_at(running: Running, jobs: int, partner: str = "acme") -> None:
    """So many times a job was put off because of a pause."""
    await eventually_async(lambda: running.counted("retries_total", partner=partner, reason="paused") >= jobs)


async def ended(bench: Bench, jobs: int) -> None:
    await eventually_async(
        lambda: asyncio.to_thread(lambda: len(bench.terminal()) >= jobs), within=30, every=0.2, what=f"{jobs} ended"
    )


async def test_a_pause_stops_jobs_wherever_they_wait_and_they_go_on_at_the_partners_limit(
    bench: Bench, settings: Settings, command: Command
) -> None:
    acme = partner_named(rate_limit=30.0, max_in_flight=4, aliases=("acme ads",))
    bench.configure(configuration([acme], [postback_named()]))
    async with Partner() as partner, sending(settings) as running:
        partner.rule("/i", lambda _: Answer(delay=0.05))
        now = int(time.time() * 1000)
        # In the lane's memory, and behind it in delay topics; due later; and, below, in the delivery topic.
        bench.decide(job_for(partner.url("/i"), n) for n in range(120))
        bench.decide(job_for(partner.url("/i"), n, due_at=now + 1_500) for n in range(120, 140))
        await eventually_async(lambda: partner.count >= 5)
        status, said, notes = await command("pause", "acme ads", "--reason", "they move house")
        assert (status, said) == (0, "the partner acme is paused: 1 postback (acme-install)")
        assert "max_age" in notes
        paused_at = int(time.time() * 1000)
        bench.decide(job_for(partner.url("/i"), n) for n in range(140, 160))
        # A sender that has not heard of the pause writes a hold, and it is over before the pause is.
        held = encode(ACME, Control(hold_until=paused_at + 500, reason="Retry-After"), "hold")
        await asyncio.to_thread(control.write_records, settings, [held])
        await looked_at(running, 2 * (160 - partner.count))
        assert max(request.at for request in partner.requests) < paused_at + 1_000
        before = partner.count
        assert before < 120
        _, listed, _ = await command("pause", "--list")
        assert listed.splitlines()[1].split()[:3] == ["partner", "acme", "paused"]
        assert "they move house" in listed
        status, said, _ = await command("pause", "acme")
        assert status == 0
        assert said.startswith("the partner acme is paused already since ")
        assert partner.count == before

        status, said, notes = await command("resume", "acme")
        assert status == 0
        assert said.startswith("the partner acme is resumed; it was paused since ")
        assert "30/s, 4 at once" in notes
        await ended(bench, 160)
        times = [request.at for request in partner.requests[before:]]
    # The rate may gather what a tick of the clock costs.
    assert all(times[first + 30] - times[first] >= 800 for first in range(len(times) - 30))
    assert len(set(partner.job_ids())) == partner.count == 160
    assert all(receipt.attempt == 1 for receipt in bench.receipts())
    assert bench.outcomes() == {"delivered": 160}


async def test_a_paused_postback_leaves_others_alone_and_what_is_removed_or_in_shadow_ends_suppressed(
    bench: Bench, settings: Settings, command: Command
) -> None:
    acme, gone = partner_named(), partner_named("gone")
    first, second = postback_named(), postback_named("acme-payment")
    bench.configure(configuration([acme, gone], [first, second]))
    async with Partner() as partner, sending(settings) as running:
        assert (await command("pause", "acme-install"))[0] == (await command("pause", "gone"))[0] == 0
        await eventually_async(lambda: len(running.service._controls) == 2)
        bench.decide(job_for(partner.url("/i"), n) for n in range(5))
        bench.decide(job_for(partner.url("/p"), n, postback_id="acme-payment") for n in range(5, 10))
        bench.decide(job_for(partner.url("/g"), n, partner="gone", postback_id="g") for n in range(10, 15))
        await ended(bench, 5)
        await looked_at(running, 5)
        await looked_at(running, 5, "gone")
        assert {request.path for request in partner.requests} == {"/p"}
        bench.configure(configuration([acme], [postback_named(status="shadow"), second], 2))
        await ended(bench, 15)
        assert {request.path for request in partner.requests} == {"/p"}
    ends = {name: receipts[0] for name, receipts in bench.terminal().items()}
    told = {(ends[f"job-{n}"].outcome, ends[f"job-{n}"].error, n // 5) for n in range(15)}
    assert told == {("suppressed", "shadow", 0), ("delivered", None, 1), ("suppressed", "partner_removed", 2)}
    status, said, notes = await command("resume", "gone")
    assert (status, said.partition(";")[0]) == (0, "the partner gone is resumed")
    assert "not in the configuration" in notes


async def test_what_a_410_paused_and_what_asked_for_a_hold_is_resumed(
    bench: Bench, settings: Settings, command: Command
) -> None:
    bench.configure(configuration([partner_named(), partner_named("busy", rate_limit=100.0)], [postback_named()]))
    limits = Limits(Tiers(base=200), Backoff(first=300, cap=600_000, least=200), LaneLimits(soon=200), prefetch=1_000)
    async with Partner() as partner, sending(settings, limits) as running:
        partner.answer("/i", Answer(status=410), Answer())
        partner.answer("/b", retry_after("600"), Answer())
        bench.decide([job_for(partner.url("/i"), 1), job_for(partner.url("/b"), 2, partner="busy")])
        await eventually_async(lambda: {ACME, BUSY} <= running.service._controls.keys())
        bench.decide([job_for(partner.url("/b"), 3, partner="busy")])
        await eventually_async(lambda: running.counted("retries_total", partner="busy", reason="lane") >= 1)
        _, listed, _ = await command("pause")
        rows = [line.split() for line in listed.splitlines()[1:]]
        assert [(row[:3], row[-1]) for row in rows] == [
            (["partner", "acme", "paused"], "Gone"),
            (["partner", "busy", "held"], "Retry-After"),
        ]
        status, said, _ = await command("resume", "acme")
        assert status == 0
        assert said.endswith("(410 Gone)")
        status, said, _ = await command("resume", "busy")
        assert (status, said.partition(" until ")[0]) == (0, "the partner busy is resumed; it was held")
        await eventually_async(lambda: not running.service._controls)
        # What was given a time behind the hold has it; what comes is not put behind that.
        bench.decide([job_for(partner.url("/b"), 4, partner="busy")])
        await ended(bench, 2)
        assert sorted(partner.job_ids(), key=str) == ["job-1", "job-1", "job-2", "job-4"]
        status, said, _ = await command("resume", "acme")
        assert (status, said) == (0, "the partner acme is neither paused nor held")


def test_what_cannot_be_paused_or_resumed_is_said(bench: Bench, ringback: Run) -> None:
    bench.configure(configuration([partner_named()], [postback_named()]))
    status, _, notes = ringback("pause", "acmee")
    assert status == 2
    assert "did you mean acme?" in notes
    assert ringback("pause", "--list", "acme")[0] == 2
    assert ringback("pause")[2] == "ringback: nothing is paused or held\n"
    bench.configure(configuration([partner_named()], [postback_named(status="paused")], 2))
    status, said, notes = ringback("resume", "acme-install")
    assert (status, said) == (1, "the postback acme-install is neither paused nor held\n")
    assert "set `status: active` and apply it" in notes
    assert "status: paused, in the configuration" in ringback("pause", "--list")[1]
    assert '"state": "paused"' in ringback("pause", "--json")[1]
