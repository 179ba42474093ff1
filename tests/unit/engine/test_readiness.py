"""What `/readyz` and `/healthz` of a worker say: ready means getting on, unhealthy means that a restart would help."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from streams.clock import ManualClock
from streams.engine.readings import SLOW_S, Readings
from streams.engine.remaining import Remaining
from streams.engine.stages import Unit
from streams.metrics import Metrics
from streams.probes import Readiness

ENDS = {("events", 0): 5}


DEVICE, USER = Unit("device", 0), Unit("user", 0)


def of(unit: Unit, topic: str, clock: ManualClock) -> SimpleNamespace:
    """A partition that has recovered, with nothing of its source read yet."""
    return SimpleNamespace(
        running=True,
        moved_at=clock.monotonic(),
        held=0,
        recovered=SimpleNamespace(seconds=0.5),
        remaining=None,
        topics=[topic],
        named=[topic],
        inputs=[(topic, unit.number)],
        position=lambda topic: 0,
        lag_seconds=lambda topic: 1.0,
        waits=lambda: None,
    )


class Bench:
    """A worker with one partition of each stage; the device stage's is five records behind."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.readiness = Readiness()
        self.readings = Readings(Metrics(), self.readiness, self.clock)
        self.partition = of(DEVICE, "events", self.clock)
        self.users = of(USER, "users", self.clock)
        self.readings.assigned(cast(Any, {DEVICE: self.partition, USER: self.users}))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(int(seconds * 1000))

    def lag(self, topic: str = "events") -> float | None:
        registry = self.readings.metrics.registry
        return registry.get_sample_value("ringback_lag_records", {"topic": topic, "partition": "0"})


def test_input_that_is_not_worked_on_is_not_ready() -> None:
    bench = Bench()
    bench.readings.looked(ENDS)
    bench.pass_time(SLOW_S + 1)
    bench.readings.looked(ENDS)
    assert "partition 0 has not moved" in bench.readiness.unmet()["progress"]
    assert set(bench.readings.waiting) == {DEVICE}
    bench.partition.moved_at = bench.clock.monotonic()
    bench.readings.looked(ENDS)
    assert bench.readiness.ready


def test_the_first_record_after_a_quiet_hour_finds_a_ready_worker() -> None:
    bench = Bench()
    bench.pass_time(3_600)
    bench.readings.looked(ENDS)
    assert bench.readiness.ready


def test_brokers_that_are_away_are_no_reason_for_a_restart() -> None:
    bench = Bench()
    bench.readings.looked(ENDS)
    bench.pass_time(10 * SLOW_S)
    bench.readings.looked(None)
    assert not bench.readings.kafka
    assert not bench.readings.waiting
    assert set(bench.readiness.unmet()) == {"kafka"}
    bench.readings.looked(ENDS)
    assert bench.readiness.ready, "they are back only now"


def test_a_paused_source_is_not_ready_and_no_reason_for_a_restart() -> None:
    """A restart would let the source go on, and turn another window of it into dead letters."""
    bench = Bench()
    for _ in range(3):
        bench.readings.looked(ENDS, {"events"})
        bench.pass_time(SLOW_S)
    assert not bench.readings.waiting
    assert "events" in bench.readiness.unmet()["sources"]


def test_a_paused_source_does_not_excuse_the_user_stage_which_goes_on() -> None:
    bench = Bench()
    ends = {**ENDS, ("users", 0): 3}
    bench.readings.looked(ends, {"events"})
    bench.pass_time(SLOW_S + 1)
    bench.readings.looked(ends, {"events"})
    assert set(bench.readings.waiting) == {USER}
    assert "user partition 0 has not moved" in bench.readiness.unmet()["progress"]


def test_partitions_of_the_same_number_of_both_stages_are_told_apart() -> None:
    bench = Bench()
    bench.readings.looked({**ENDS, ("users", 0): 3})
    assert (bench.lag("events"), bench.lag("users")) == (5, 3)
    value = bench.readings.metrics.registry.get_sample_value
    for stage in ("device", "user"):
        assert value("ringback_recovery_seconds", {"stage": stage, "partition": "0"}) == 0.5
    bench.users.running = False
    bench.readings.recovering()
    assert bench.readiness.unmet() == {"recovered": "recovering: user partition 0"}


def test_a_recovery_tells_how_much_is_left_and_about_how_long() -> None:
    bench = Bench()
    bench.users.running = False
    bench.readings.recovering()
    way = bench.users.remaining = Remaining(1_000, 101_000)
    way.begin(bench.clock.monotonic())
    bench.pass_time(2)
    way.step(51_000, bench.clock.monotonic())
    bench.readings.looked(ENDS)
    told = bench.readiness.unmet()["recovered"]
    assert told == "recovering: user partition 0 (50,000 changelog records left, about 2 s)"
    value = bench.readings.metrics.registry.get_sample_value
    labels = {"stage": "user", "partition": "0"}
    assert value("ringback_recovery_records_left", labels) == 50_000
    assert value("ringback_recovery_seconds_left") == 2.0
    bench.users.running = True
    bench.readings.looked(ENDS)
    assert value("ringback_recovery_records_left", labels) == 0


def test_lag_of_partitions_that_are_gone_is_not_told_any_more() -> None:
    bench = Bench()
    bench.readings.looked(ENDS)
    assert bench.lag() == 5
    bench.readings.unassigned()
    assert bench.lag() is None


def test_metrics_say_whether_it_is_ready_and_what_the_brokers_made_wait() -> None:
    bench = Bench()
    value = bench.readings.metrics.registry.get_sample_value
    assert value("ringback_ready") == 1
    assert value("ringback_kafka_errors_total", {"reason": "ends"}) == 0
    bench.readings.looked(None)
    assert value("ringback_ready") == 0
    assert value("ringback_kafka_errors_total", {"reason": "ends"}) == 1
