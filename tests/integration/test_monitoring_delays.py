"""What a sender tells about its delay topics, on the real broker."""

from __future__ import annotations

import time

from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import Bench, Running, configuration, job_for, partner_named, sending
from tests.support.waiting import eventually_async


def _now() -> int:
    return int(time.time() * 1000)


async def test_jobs_that_wait_are_told_with_the_next_one_and_gone_when_they_are(settings: Settings) -> None:
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named()]))

    def told(running: Running, metric: str) -> list[float]:
        found = running.service.metrics.registry.collect()
        return [sample.value for one in found if one.name == f"ringback_{metric}" for sample in one.samples]

    async with Partner() as partner, sending(settings) as running:
        await eventually_async(lambda: len(told(running, "jobs_delayed")) == 9, what="every delay topic is told")
        assert told(running, "next_due_seconds") == []
        # All of one device, so that they lie in one partition of the tier of 25.6 s.
        bench.decide(job_for(partner.url("/i"), n, due_at=_now() + 40_000, device_key="game|one") for n in range(2))
        await eventually_async(lambda: told(running, "next_due_seconds"), what="a next job is told")
        (due,) = told(running, "next_due_seconds")
        assert 15 < due <= 26
        # Its partition stands still until then; what is appended meanwhile is told all the same.
        bench.decide(job_for(partner.url("/i"), n, due_at=_now() + 40_000, device_key="game|one") for n in range(2, 9))
        await eventually_async(lambda: sum(told(running, "jobs_delayed")) >= 9, what="nine jobs wait")
        assert partner.count == 0


async def test_nothing_is_told_to_wait_when_nothing_does(settings: Settings) -> None:
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings) as running:
        registry = running.service.metrics.registry
        first = {"topic": bench.topics.retry("256s")}  # the sixth, here of 6.4 s; there is time to take the jobs
        bench.decide(job_for(partner.url("/i"), n, due_at=_now() + 12_000) for n in range(8))
        await eventually_async(lambda: running.counted("jobs_delayed", **first) > 0, what="jobs wait")
        await eventually_async(lambda: partner.count == 8, what="they are sent")

        def nothing() -> bool:
            return registry.get_sample_value("ringback_jobs_delayed", first) == 0

        # The ends of the transactions that wrote them are read past.
        await eventually_async(nothing, what="nothing is told to wait")
        assert registry.get_sample_value("ringback_next_due_seconds", first) is None
