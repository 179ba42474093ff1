"""What the sender counts.

A job touches seven metrics, and each touch of a labelled one takes a look-up and a lock. So what happens is noted in
plain dictionaries, and told to the metrics when somebody reads them, and once a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.dead_letter import JOB_REASONS
from schemas.job import Job
from streams import logs
from streams.metrics import Metrics, observe_all

from .settling import Settlement

log = logs.get(__name__)

#: The log tells of a partner's refused addresses so often at most (ms).
TELL_BLOCKED_MS = 60_000

#: A metric's name and its labels.
Series = tuple[str, ...]


class Tallies:
    """Counts settlements and times in the process's metrics. Each is the only one while it lasts. For one thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[Series, Any] = {}
        self._counts: dict[Series, int] = {}
        self._seconds: dict[Series, list[float]] = {}
        self._tell_blocked_at: dict[str, int] = {}
        # Of lanes that were there before nothing is known any more.
        for gauge in (metrics.jobs_in_flight, metrics.jobs_waiting, metrics.partner_held):
            gauge.clear()
        # A counter that begins with its first event hides it: no rate sees a rise.
        for reason in JOB_REASONS:
            self._labelled(("dead_letters_total", "job", reason))
        metrics.before_reading = self.tell

    def _labelled(self, series: Series) -> Any:
        found = self._known.get(series)
        if found is None:
            name, *labels = series
            found = self._known[series] = getattr(self._metrics, name).labels(*labels)
        return found

    def _count(self, *series: str) -> None:
        self._counts[series] = self._counts.get(series, 0) + 1

    def _time(self, name: str, partner: str, milliseconds: float) -> None:
        values = self._seconds.get((name, partner))
        if values is None:
            values = self._seconds[name, partner] = []
        values.append(milliseconds / 1000 if milliseconds > 0 else 0.0)

    def tell(self) -> None:
        """Tell the metrics what was noted."""
        counts, self._counts = self._counts, {}
        for series, count in counts.items():
            self._labelled(series).inc(count)
        seconds, self._seconds = self._seconds, {}
        for series, values in seconds.items():
            observe_all(self._labelled(series), values)

    def settled(self, job: Job | None, settlement: Settlement, now: int) -> None:
        """Count what became of a record; `job` is None for poison that could not be read."""
        if settlement.dead:
            self._count("dead_letters_total", "job", settlement.dead)
        if job is None:
            return
        partner, postback_id = job.partner, job.postback_id
        if settlement.attempt:
            self._count("delivery_attempts_total", partner, postback_id, settlement.attempt)
        if settlement.terminal and job.replay:
            # It was decided once and has ended before: finished are as many as were decided.
            self._count("replays_finished_total", partner, postback_id, settlement.terminal)
        elif settlement.terminal:
            ended = settlement.terminal
            self._count("postbacks_finished_total", job.app_id, partner, postback_id, job.event, ended)
            self._time("delivery_latency_seconds", partner, now - job.decided_at)
        if settlement.waits:
            self._count("retries_total", partner, settlement.waits)

    def sent(self, job: Job, now: int) -> None:
        """A request goes out now."""
        self._time("delivery_lateness_seconds", job.partner, now - job.due_at)

    def took(self, job: Job, milliseconds: float | None) -> None:
        """A request took so long."""
        if milliseconds is not None:
            self._time("request_seconds", job.partner, milliseconds)

    def blocked(self, job: Job, error: str, now: int) -> None:
        """An address was refused. The log tells it too, now and then: a job that ends so is easily missed."""
        self._count("egress_blocked_total", job.partner)
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
        self._labelled(("jobs_in_flight", partner)).set(in_flight)
        self._labelled(("jobs_waiting", partner)).set(queued)
        self._labelled(("partner_held", partner, "hold")).set(held)
        self._labelled(("partner_held", partner, "breaker")).set(broken)
        self._labelled(("egress_blocked_total", partner))

    def paused(self, partner: str, paused: bool) -> None:
        """Whether a partner that is configured is paused."""
        self._labelled(("partner_held", partner, "pause")).set(paused)

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
