"""Metrics that are kept per batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from streams.engine.readings import observe_all


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): round(sample.value, 6)
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 7.0])))
def test_observing_many_at_once_is_observing_each(values: list[float]):
    one, many = CollectorRegistry(), CollectorRegistry()
    bounds = (0.1, 0.5, 1.0)
    each = Histogram("h", "h", buckets=bounds, registry=one)
    for value in values:
        each.observe(value)
    observe_all(Histogram("h", "h", buckets=bounds, registry=many), list(values))
    assert samples(one) == samples(many)
