"""Jobs that wait: never early, in nobody's way, whatever the machine's clock does, and as a partner asks
(D8, D9, D13).
"""

from __future__ import annotations

import email.utils
import time
from collections import defaultdict

import msgspec
import pytest

from streams.local.exchange import OK, Answer, Request, retry_after
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import QUICK, Bench, configuration, ended, job_for, partner_named, sending
from tests.support.topics import Sent
from tests.support.waiting import eventually_async


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    made.configure(configuration([partner_named()]))
    return made


async def test_near_jobs_overtake_far_ones_of_the_same_partition(bench: Bench, settings: Settings) -> None:
    async with Partner() as partner, sending(settings):
        now = int(time.time() * 1000)
        due = {f"job-{n}": now + (5_000 if n < 100 else 900 + 7 * (n % 50)) for n in range(200)}
        jobs = [job_for(partner.url("/i"), n, now, due_at=due[f"job-{n}"]) for n in range(200)]
        bench.write(bench.topics.delivery, [Sent(msgspec.json.encode(job), b"k", 0) for job in jobs])
        await ended(bench, 200)
    late = {request.job_id or "": request.at - due[request.job_id or ""] for request in partner.requests}
    assert min(late.values()) >= 0
    assert sorted(late.values())[198] < 1_000, sorted(late.values())[-5:]
    assert bench.outcomes() == {"delivered": 200}


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_jump_of_the_machines_clock_changes_nothing(
    bench: Bench, settings: Settings, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    real, arrived = time.time, dict[str, int]()

    def noted(request: Request) -> Answer:
        arrived.setdefault(request.job_id or "", int(real() * 1000))
        return OK

    async with Partner() as partner, sending(settings) as running:
        partner.rule("/i", noted)
        now = int(real() * 1000)
        due = {f"job-{n}": now + 500 + 30 * n for n in range(100)}
        bench.decide(job_for(partner.url("/i"), n, now, due_at=due[f"job-{n}"]) for n in range(100))
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="delay") > 0)
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3_600)
        sender = running.service.sender
        assert sender is not None
        ticks, begun = sender._ticks, time.monotonic()
        await ended(bench, 100)
        assert sender._ticks - ticks < 110 * (time.monotonic() - begun), "a busy loop"
    late = sorted(arrived[name] - due[name] for name in due)
    assert late[0] >= 0
    assert late[98] < 1_000, late[-5:]


def asked() -> dict[str, tuple[str, int]]:
    """What is answered, and for how long it holds (ms): at most the cap, which is 1.5 s here."""
    cap = QUICK.backoff.cap
    return {
        "second": ("1", 1_000),
        "minutes": ("120", cap),
        "day": ("86400", cap),
        "date": (email.utils.formatdate(time.time() + 60, usegmt=True), cap),
        "past": (email.utils.formatdate(time.time() - 60, usegmt=True), 0),
        "garbage": ("soon", 0),
        "negative": ("-5", 0),
    }


async def test_a_partner_is_held_as_it_asks_up_to_the_cap_and_garbage_is_ignored(
    bench: Bench, settings: Settings
) -> None:
    told = asked()
    bench.configure(configuration([partner_named(name) for name in told], generation=2))
    refused, came = set[str](), defaultdict[str, list[tuple[str, float]]](list)

    def rule(request: Request) -> Answer:
        name = request.path[1:]
        came[name].append((request.job_id or "", time.monotonic() * 1000))
        if name in refused:
            return OK
        refused.add(name)
        return retry_after(told[name][0])

    async with Partner() as partner, sending(settings):
        partner.default = rule
        bench.decide(job_for(partner.url(f"/{name}"), n, partner=name) for n, name in enumerate(told))
        await eventually_async(lambda: len(refused) == len(told))
        # It is not the refused job alone that waits.
        bench.decide(job_for(partner.url(f"/{name}"), 100 + n, partner=name) for n, name in enumerate(told))
        await ended(bench, 2 * len(told))
    for name, (_, hold) in told.items():
        first, second = came[name][0][1], came[name][1][1]
        assert hold - 5 <= second - first < hold + 1_000, (name, second - first)
    assert bench.outcomes() == {"delivered": 2 * len(told)}
