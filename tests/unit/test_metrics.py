"""Contract §9: the metrics that others build dashboards and alerts on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from streams.metrics import PREFIX, Metrics, observe_all, rows

#: Contract §9: name → labels.
PROMISED = {
    "records_total": "source,result",
    "derived_events_total": "app,event",
    "postbacks_decided_total": "app,partner,postback,event",
    "postbacks_finished_total": "app,partner,postback,event,outcome",
    "delivery_attempts_total": "partner,postback,outcome",
    "dead_letters_total": "kind,reason",
    "lag_records": "topic,partition",
    "lag_seconds": "topic,partition",
    "decision_latency_seconds": "",
    "delivery_latency_seconds": "partner",
    "delivery_lateness_seconds": "partner",
    "records_held": "",
}
LABELS = {
    "app",
    "partner",
    "postback",
    "event",
    "outcome",
    "topic",
    "partition",
    "source",
    "result",
    "kind",
    "reason",
    "stage",
}


def test_what_the_contract_promises_is_there() -> None:
    table = {row.name: ",".join(row.labels) for row in rows()}
    assert {name: table.get(name) for name in PROMISED} == PROMISED


def test_labels_are_bounded_and_histograms_have_a_partner_at_most() -> None:
    for row in rows():
        assert set(row.labels) <= LABELS, row.name
        assert not row.buckets or set(row.labels) <= {"partner"}, row.name
        assert row.help


def test_each_process_has_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.records_total.labels("events", "processed").inc(3)
    assert one.registry.get_sample_value(f"{PREFIX}records_total", {"source": "events", "result": "processed"}) == 3
    assert (
        other.registry.get_sample_value(f"{PREFIX}records_total", {"source": "events", "result": "processed"}) is None
    )


def test_they_can_be_scraped() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.decision_latency_seconds.observe(0.02)
    metrics.lag_records.labels("events", "0").set(5)
    text = generate_latest(registry).decode()
    assert 'ringback_lag_records{partition="0",topic="events"} 5.0' in text
    assert "ringback_decision_latency_seconds_bucket" in text
    assert "process_resident_memory_bytes" in text


def test_a_metric_that_is_not_in_the_table_is_an_error() -> None:
    with pytest.raises(AttributeError):
        _ = Metrics().recrods_total  # type: ignore[attr-defined]


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): round(sample.value, 6)
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 7.0])))
def test_observing_many_at_once_is_observing_each(values: list[float]) -> None:
    one, many = CollectorRegistry(), CollectorRegistry()
    bounds = (0.1, 0.5, 1.0)
    each = Histogram("h", "h", buckets=bounds, registry=one)
    for value in values:
        each.observe(value)
    observe_all(Histogram("h", "h", buckets=bounds, registry=many), list(values))
    assert samples(one) == samples(many)


def test_what_was_only_noted_is_told_before_the_metrics_are_read() -> None:
    metrics = Metrics()
    metrics.before_reading = metrics.jobs_limit.inc
    assert metrics.registry.get_sample_value("ringback_jobs_limit") == 1
    assert b"ringback_jobs_limit 2.0" in generate_latest(metrics.registry)
