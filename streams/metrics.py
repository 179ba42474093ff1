"""Every metric of every process: the body of `Metrics` is the table (contract §9).

Names are the attribute with the prefix `ringback_`. Labels are bounded by the configuration (app, partner, postback,
event, topic, partition): never a device, and histograms have a partner at most.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, overload

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

PREFIX = "ringback_"

#: Upper bounds in seconds. Decisions and checkpoints are milliseconds, deliveries seconds, delays up to hours.
FAST = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0, 14400.0, 86400.0)

M = TypeVar("M", Counter, Gauge, Histogram)


class Row(Generic[M]):
    """A metric as the table describes it; reading it from a `Metrics` gives that process's own metric."""

    def __init__(self, kind: type[M], help: str, *labels: str, buckets: tuple[float, ...] = ()) -> None:
        self.kind: type[M] = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
        self.name = ""

    def __set_name__(self, owner: type[Metrics], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[Metrics]) -> Row[M]: ...
    @overload
    def __get__(self, instance: Metrics, owner: type[Metrics]) -> M: ...
    def __get__(self, instance: Metrics | None, owner: type[Metrics]) -> Row[M] | M:
        # An instance's own metric lies in its __dict__ and is found before this is called.
        if instance is None:
            return self
        raise AttributeError(self.name)

    def make(self, registry: CollectorRegistry) -> M:
        """The metric itself, registered."""
        more: dict[str, Any] = {"buckets": self.buckets} if self.buckets else {}
        metric: M = self.kind(PREFIX + self.name, self.help, self.labels, registry=registry, **more)
        return metric


class Metrics:
    """The metrics of one process, in its own registry; nothing is global, so tests may make as many as they like."""

    # The worker
    records_total = Row(
        Counter,
        "Input records by what became of them; with the users topic as `source`, what the user stage has worked on.",
        "source",
        "result",
    )
    derived_events_total = Row(Counter, "Derived events that fired.", "app", "event")
    postbacks_decided_total = Row(Counter, "Jobs written to the delivery topic.", "app", "partner", "postback", "event")
    records_held = Row(Gauge, "Records that wait for an install that may still come.")
    checkpoint_seconds = Row(Histogram, "Decode to committed, per batch.", buckets=FAST)
    checkpoint_records = Row(
        Histogram, "Input records per batch.", buckets=(1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000)
    )
    decision_latency_seconds = Row(Histogram, "Appended to decided, time held excluded.", buckets=FAST)
    records_rekeyed_total = Row(
        Counter, "Records of sources with `rekey: true`, written to where their device is processed.", "source"
    )
    recovery_seconds = Row(Gauge, "How long the newest recovery of a partition took.", "stage", "partition")
    states_forgotten_total = Row(
        Counter,
        "States deleted because their app's `forget_after` has passed; of a user by the app of its first record.",
        "stage",
        "app",
    )
    state_rows = Row(Gauge, "Rows of a partition's state, as RocksDB estimates it.", "stage", "partition")
    state_bytes = Row(Gauge, "Bytes of these rows on disk, compressed, by the same estimate.", "stage", "partition")
    recovery_records_left = Row(
        Gauge,
        "Changelog records that a recovery has still to read; or more, for compaction leaves gaps.",
        "stage",
        "partition",
    )
    recovery_seconds_left = Row(Gauge, "About how long the recoveries of this process will still take.")
    stuck = Row(Gauge, "1 while something of the worker stands still that ought to move: /healthz says what.")
    standby_records_left = Row(
        Gauge, "Changelog records that a warm copy is behind, ends of transactions among them.", "stage", "partition"
    )
    source_paused = Row(Gauge, "1 while a source stands still because too much of it is bad.", "source")

    # The sender
    postbacks_finished_total = Row(
        Counter, "Jobs by their terminal outcome, replays left out.", "app", "partner", "postback", "event", "outcome"
    )
    replays_finished_total = Row(
        Counter,
        "Jobs that were sent again after they had ended, by their new outcome; the others do not count them.",
        "partner",
        "postback",
        "outcome",
    )
    delivery_attempts_total = Row(Counter, "Requests sent, by outcome.", "partner", "postback", "outcome")
    delivery_latency_seconds = Row(Histogram, "Decided to finished.", "partner", buckets=SLOW)
    delivery_lateness_seconds = Row(Histogram, "Due to sent.", "partner", buckets=SLOW)
    request_seconds = Row(Histogram, "One request, from connecting to the last byte read.", "partner", buckets=SLOW)
    egress_blocked_total = Row(Counter, "Connections refused because the address is not public.", "partner")
    jobs_in_flight = Row(Gauge, "Requests under way.", "partner")
    jobs_waiting = Row(Gauge, "Jobs in memory that wait for a slot or their due time.", "partner")
    jobs_limit = Row(Gauge, "Jobs that the process keeps in memory at most; then it reads no more.")
    jobs_delayed = Row(
        Gauge, "Records of a delay topic that still wait, at most: ends of transactions may be among them.", "topic"
    )
    next_due_seconds = Row(
        Gauge, "Until the next job of a delay topic is looked at; below 0: it is late. Absent: none waits.", "topic"
    )
    partner_held = Row(
        Gauge,
        "1 while a partner is held: hold (Retry-After), breaker (open, or only probes go out), "
        "pause (of an operator, or 410).",
        "partner",
        "reason",
    )
    retries_total = Row(Counter, "Jobs written to a delay topic.", "partner", "reason")

    # Every process
    ready = Row(Gauge, "1 while `/readyz` says yes.")
    dead_letters_total = Row(Counter, "Records written to the dead letters.", "kind", "reason")
    lag_records = Row(Gauge, "Records appended and not yet read.", "topic", "partition")
    lag_seconds = Row(Gauge, "Age of the oldest record not yet read.", "topic", "partition")
    config_generation = Row(Gauge, "The configuration in force; 0 before the first.")
    config_errors_total = Row(Counter, "Generations that could not be used; the last good one stayed.")
    kafka_errors_total = Row(Counter, "Calls to Kafka that failed or had to wait; they are made again.", "reason")

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        #: Called, if set, whenever somebody is about to read the metrics: what was only noted is told then.
        self.before_reading: Callable[[], None] | None = None
        # Collectors are asked in the order of their registration.
        self.registry.register(_First(self))
        for row in rows():
            self.__dict__[row.name] = row.make(self.registry)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)


class _First(Collector):
    """Has nothing to tell itself."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterator[Metric]:
        """Nothing; without it, to be registered would mean to be read."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        if self._metrics.before_reading is not None:
            self._metrics.before_reading()
        return iter(())


def rows() -> list[Row[Any]]:
    """The table, in order; the docs are made from it."""
    return [row for row in vars(Metrics).values() if isinstance(row, Row)]


def observe_all(histogram: Histogram, values: list[float]) -> None:
    """`histogram.observe` for each value, at the cost of one per bucket: a batch has thousands, and each would take a
    lock.

    The client library has no such method; a test holds what is used here against `observe`.
    """
    values.sort()
    below = 0
    for bound, bucket in zip(histogram._upper_bounds, histogram._buckets, strict=True):
        upto = bisect_right(values, bound)
        if upto > below:
            bucket.inc(upto - below)
            below = upto
    histogram._sum.inc(sum(values))
