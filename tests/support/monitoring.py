"""What lies in `deploy/` for Prometheus and Grafana: its expressions, and which metrics and labels they name."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import Histogram
from ruamel.yaml import YAML

from streams.metrics import PREFIX, rows

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIGURATION = DEPLOY / "prometheus" / "prometheus.yml"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
ALERTS_TEST = DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "ringback.json"

#: What Prometheus adds to every series that it scrapes.
TARGET = frozenset({"job", "instance"})
#: Metrics that are not of our table, with their labels.
STANDARD = {
    "up": frozenset[str](),
    "process_cpu_seconds_total": frozenset[str](),
    "process_resident_memory_bytes": frozenset[str](),
    "process_start_time_seconds": frozenset[str](),
}
#: Words of PromQL: what else stands where a metric could.
OPERATORS = frozenset({"and", "by", "on", "or", "unless"})
FUNCTIONS = frozenset({"absent", "changes", "deriv", "histogram_quantile", "increase", "max_over_time", "rate"})
AGGREGATIONS = frozenset({"max", "min", "sum"})

TEXT = re.compile(r'"[^"]*"')
RANGE = re.compile(r"\[[^]]*\]")
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
SELECTOR = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\{([^}]*)\}")
MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"([^"]*)"')


class Query(NamedTuple):
    """An expression of a panel; `panel` is its title, `legend` how its series are named."""

    panel: str
    expression: str
    legend: str


def tool(name: str) -> str:
    """The path of `prometheus` or `promtool`. Without it the test is skipped, in CI it fails."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is missing: .ci/run installs Debian's package `prometheus`")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian's package `prometheus` has it)")
    return found


def read_yaml(path: Path) -> Any:
    """What a YAML file says."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    read: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return read


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def queries() -> list[Query]:
    """The expressions of every panel."""
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]


def filled_in(expression: str, variables: Mapping[str, str]) -> str:
    """A panel's expression with its variables filled in, as Grafana does. What is not in `variables` stays."""
    return re.sub(r"\$(\w+)", lambda found: variables.get(found[1], found[0]), expression)


def series() -> dict[str, frozenset[str]]:
    """Every metric that there is, with its labels."""
    known = dict(STANDARD)
    for row in rows():
        labels = frozenset(row.labels)
        if row.kind is Histogram:
            known[f"{PREFIX}{row.name}_bucket"] = labels | {"le"}
            known |= {f"{PREFIX}{row.name}_{part}": labels for part in ("sum", "count")}
        else:
            known[PREFIX + row.name] = labels
    return known


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression names; a misspelt function is one too."""
    bare = RANGE.sub("", GROUPED.sub("", re.sub(r"\{[^}]*\}", "", TEXT.sub("", expression))))
    return set(NAME.findall(bare)) - OPERATORS - FUNCTIONS - AGGREGATIONS


def grouped_by(expression: str) -> set[str]:
    """The labels by which an expression groups or matches series."""
    return {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",") if label.strip()}


def matchers(expression: str) -> Iterator[tuple[str, str, str, str]]:
    """Metric, label, operator and value of everything in braces."""
    for metric, inside in SELECTOR.findall(expression):
        for label, operator, value in MATCHER.findall(inside):
            yield metric, label, operator, value
