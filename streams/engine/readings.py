"""What a worker tells about itself: metrics per batch, lag, and whether it is getting on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from schemas import dead_letter
from schemas.config import Configuration
from streams.clock import Clock
from streams.engine.checkpoint import Done
from streams.engine.partition import Partition
from streams.engine.remaining import estimate
from streams.engine.stages import STAGES, Input, Unit
from streams.metrics import Metrics, observe_all
from streams.probes import Readiness

log = logging.getLogger(__name__)

#: A partition with input waiting that has not moved for so long (seconds) is not ready. Later it is stuck: `watchdog`.
SLOW_S = 15.0
#: What the watchdog does not look at is stuck after so long (seconds).
STUCK_S = 60.0


class Readings:
    """The worker's metrics and readiness, kept from what the engine tells it."""

    #: Conditions of readiness, in the order in which a worker meets them.
    CONDITIONS = ("kafka", "configuration", "assigned", "recovered", "progress")

    def __init__(self, metrics: Metrics, readiness: Readiness, clock: Clock) -> None:
        self.metrics, self.readiness, self._clock = metrics, readiness, clock
        self._children: dict[tuple[str, ...], Any] = {}
        #: Partitions with input waiting, and since when that has been seen (monotonic seconds).
        self._waiting: dict[Unit, float] = {}
        #: What these wait for themselves, in words.
        self._waits_for: dict[Unit, str] = {}
        self._partitions: Mapping[Unit, Partition] = {}
        metrics.ready.set_function(lambda: readiness.ready)
        # A counter that begins with its first event hides it: no rate sees a rise.
        for reason in dead_letter.REASONS.keys() - dead_letter.JOB_REASONS:
            metrics.dead_letters_total.labels("input", reason)
        for call in ("abort", "barrier", "commit", "ends", "hanging", "metadata", "start", "transaction"):
            metrics.kafka_errors_total.labels(call)

    def trouble(self, call: str) -> None:
        """The brokers made this call wait, or be made again. From any thread."""
        self.metrics.kafka_errors_total.labels(call).inc()

    def applied(self, partition: Partition, done: Done, seconds: float) -> None:
        """A batch has been checkpointed within so many seconds."""
        self.count(done.counts)
        if done.records:
            self.metrics.checkpoint_seconds.observe(seconds)
            self.metrics.checkpoint_records.observe(done.records)
        now = partition.broker_clock.now()
        observe_all(
            self.metrics.decision_latency_seconds, [max(0, now - appended) / 1000 for appended in done.decided_from]
        )

    def count(self, counts: Counter[tuple[str, ...]]) -> None:
        """Add up what a batch counted; keys are (metric, *labels)."""
        for key, count in counts.items():
            child = self._children.get(key)
            if child is None:
                child = self._children[key] = getattr(self.metrics, key[0]).labels(*key[1:])
            child.inc(count)

    def configured(self, configuration: Configuration) -> None:
        """This generation is in force."""
        self.metrics.config_generation.set(configuration.generation)
        for app in configuration.apps:
            for stage in STAGES:
                self.metrics.states_forgotten_total.labels(stage, app.id)
        self.readiness.set("configuration", True)

    def assigned(self, partitions: Mapping[Unit, Partition]) -> None:
        """These are the worker's partitions now (the engine's own, living dictionary)."""
        self._partitions = partitions
        self._waiting, self._waits_for = {}, {}
        self.readiness.set("assigned", True)
        self.recovering()

    def recovering(self) -> None:
        """Some partition has recovered, or begins to."""
        missing = sorted(unit for unit, one in self._partitions.items() if not one.running)
        self.readiness.set("recovered", not missing, f"recovering: {', '.join(map(str, missing))}{self._left()}")
        for unit, one in self._partitions.items():
            if one.recovered is not None:
                self.metrics.recovery_seconds.labels(unit.stage, str(unit.number)).set(one.recovered.seconds)

    def _left(self) -> str:
        """What is left to be read back: for the metrics, and as text."""
        ways = {unit: way for unit, one in self._partitions.items() if (way := one.remaining) is not None}
        for unit, way in ways.items():
            left = 0 if self._partitions[unit].running else way.left
            self.metrics.recovery_records_left.labels(unit.stage, str(unit.number)).set(left)
        # At the rate of all that were read since the assignment.
        whole = estimate(ways.values(), self._clock.monotonic())
        self.metrics.recovery_seconds_left.set(whole.seconds or 0)
        return f" ({whole})" if whole.records else ""

    def reopening(self) -> None:
        """A partition is to be opened anew. Until it runs, its lag is not known; the others' is told in a moment."""
        self._forget_lag()
        self.recovering()

    def _forget_lag(self) -> None:
        self.metrics.lag_records.clear()
        self.metrics.lag_seconds.clear()

    def unassigned(self) -> None:
        """The partitions are gone for now."""
        self._waiting, self._waits_for = {}, {}
        # Others tell of them from now on; a last value that stays would be counted twice.
        self._forget_lag()
        self.metrics.recovery_records_left.clear()
        self.metrics.recovery_seconds_left.set(0)
        self.metrics.records_held.set(0)
        self.readiness.set("assigned", False, "partitions are being assigned anew")

    def looked(self, ends: Mapping[Input, int] | None, paused: Collection[str] = ()) -> None:
        """The ends of all inputs, looked up now; None: the brokers do not answer. `paused`: sources that stand
        still.
        """
        self.readiness.set("kafka", ends is not None, "the brokers do not answer")
        if ends is None:
            self.trouble("ends")
        if "recovered" in self.readiness.unmet_conditions:
            self.recovering()
        self.readiness.set("sources", not paused, f"paused, too much of them is bad: {', '.join(sorted(paused))}")
        now, waiting = self._clock.monotonic(), {}
        for unit, partition in self._partitions.items():
            behind = self._lag(partition, ends or {}) if partition.running else 0
            # Without brokers, or with a source paused, nothing can move, and a restart would not help.
            if behind and not set(paused).intersection(partition.named):
                waiting[unit] = self._waiting.get(unit, now)
        self._waiting = waiting
        self._waits_for = {unit: str(self._partitions[unit].waits() or "") for unit in waiting}
        self.metrics.records_held.set(sum(one.held for one in self._partitions.values()))
        slow = self._not_moving(SLOW_S)
        self.readiness.set("progress", not slow, slow or "")

    def _lag(self, partition: Partition, ends: Mapping[Input, int]) -> int:
        """How many records wait for a partition; told by source."""
        behind = 0
        for topic, number in partition.inputs:
            end = ends.get((topic, number))
            if end is None:
                continue
            lag = max(0, end - partition.position(topic))
            behind += lag
            labels = (topic, str(number))
            self.metrics.lag_records.labels(*labels).set(lag)
            self.metrics.lag_seconds.labels(*labels).set(partition.lag_seconds(topic) if lag else 0)
        return behind

    def _not_moving(self, seconds: float) -> str | None:
        now = self._clock.monotonic()
        for unit, since in self._waiting.items():
            one = self._partitions.get(unit)
            if one is None or not one.running:
                continue
            still = now - max(since, one.moved_at)
            if still > seconds:
                why = self._waits_for.get(unit)
                return f"{unit} has not moved for {still:.0f} s with input waiting{f'; {why}' if why else ''}"
        return None

    @property
    def waiting(self) -> Mapping[Unit, str]:
        """The partitions that have input waiting, and no excuse for not working on it, with what they wait for, if it
        is anything. From any thread.
        """
        return self._waits_for

    @property
    def kafka(self) -> bool:
        """Whether the brokers answered the last look-up. From any thread."""
        return "kafka" not in self.readiness.unmet_conditions
