"""What the sender counts. Looking up a metric by its labels costs more than counting, so what was looked up is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.dead_letter import JOB_REASONS
from schemas.job import Job
from streams import logs
from streams.metrics import Metrics

from .settling import Settlement

log = logs.get(__name__)

#: The log tells of a partner's refused addresses so often at most (ms).
TELL_BLOCKED_MS = 60_000


class Tallies:
    """Counts settlements and times in the process's metrics. Each is the only one while it lasts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, ...], Any] = {}
        self._tell_blocked_at: dict[str, int] = {}
        # Of lanes that were there before nothing is known any more.
        for gauge in (metrics.jobs_in_flight, metrics.jobs_waiting, metrics.partner_held):
            gauge.clear()
        # A counter that begins with its first event hides it: no rate sees a rise.
        for reason in JOB_REASONS:
            self._labelled("dead_letters_total", "job", reason)

    def _labelled(self, name: str, *labels: str) -> Any:
        key = (name, *labels)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = getattr(self._metrics, name).labels(*labels)
        return found

    def settled(self, job: Job | None, settlement: Settlement, now: int) -> None:
        """Count what became of a record; `job` is None for poison that could not be read."""
        if settlement.dead:
            self._labelled("dead_letters_total", "job", settlement.dead).inc()
        if job is None:
            return
        if settlement.attempt:
            self._labelled("delivery_attempts_total", job.partner, job.postback_id, settlement.attempt).inc()
        if settlement.terminal:
            self._labelled(
                "postbacks_finished_total", job.app_id, job.partner, job.postback_id, job.event, settlement.terminal
            ).inc()
            self._labelled("delivery_latency_seconds", job.partner).observe(max(0, now - job.decided_at) / 1000)
        if settlement.waits:
            self._labelled("retries_total", job.partner, settlement.waits).inc()

    def sent(self, job: Job, now: int) -> None:
        """A request goes out now."""
        self._labelled("delivery_lateness_seconds", job.partner).observe(max(0, now - job.due_at) / 1000)

    def took(self, job: Job, milliseconds: float | None) -> None:
        """A request took so long."""
        if milliseconds is not None:
            self._labelled("request_seconds", job.partner).observe(milliseconds / 1000)

    def blocked(self, job: Job, error: str, now: int) -> None:
        """An address was refused. The log tells it too, now and then: a job that ends so is easily missed."""
        self._labelled("egress_blocked_total", job.partner).inc()
        if now >= self._tell_blocked_at.get(job.partner, 0):
            self._tell_blocked_at[job.partner] = now + TELL_BLOCKED_MS
            log.warning(
                "an address that is not public is not called, its jobs end as suppressed "
                "(RINGBACK_EGRESS_ALLOW names exceptions)",
                partner=job.partner,
                error=error,
            )

    def lane(self, partner: str, in_flight: int, queued: int, held: bool, broken: bool) -> None:
        """How a lane stands. `held`: by a Retry-After; `broken`: by its breaker."""
        self._labelled("jobs_in_flight", partner).set(in_flight)
        self._labelled("jobs_waiting", partner).set(queued)
        self._labelled("partner_held", partner, "hold").set(held)
        self._labelled("partner_held", partner, "breaker").set(broken)
        self._labelled("egress_blocked_total", partner)

    def paused(self, partner: str, paused: bool) -> None:
        """Whether a partner that is configured is paused."""
        self._labelled("partner_held", partner, "pause").set(paused)

    def limited(self, jobs: int) -> None:
        """So many jobs may be in memory."""
        self._metrics.jobs_limit.set(jobs)

    def delayed(self, jobs: Mapping[str, int], next_due: Mapping[str, int], now: int) -> None:
        """How many jobs wait in each delay topic, and when the next one is looked at (ms)."""
        self._metrics.jobs_delayed.clear()
        self._metrics.next_due_seconds.clear()
        for topic, count in jobs.items():
            self._metrics.jobs_delayed.labels(topic).set(count)
        for topic, at in next_due.items():
            self._metrics.next_due_seconds.labels(topic).set((at - now) / 1000)
