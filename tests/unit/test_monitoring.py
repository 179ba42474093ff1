"""The alerts and the dashboard: valid, tested, and about metrics that there are."""

from __future__ import annotations

import re
import subprocess
from itertools import combinations
from typing import Any

import pytest

from schemas import dead_letter, decision
from streams.metrics import PREFIX, rows
from tests.support import monitoring
from tests.support.monitoring import ALERTS, ALERTS_TEST, CONFIGURATION, TARGET

EXPRESSIONS = [
    *((f"panel {query.panel}", query.expression) for query in monitoring.queries()),
    *((f"alert {rule['alert']}", rule["expr"]) for rule in monitoring.alerts()),
]
#: Label → the values that it can have, as far as an expression names them.
VALUES = {
    "outcome": {"delivered", "failed", "suppressed", "expired"},
    "result": decision.RESULTS.keys() | {"dead_letter"},
    "kind": {"input", "job"},
    "reason": dead_letter.REASONS.keys() | {"hold", "breaker", "pause"},
    "job": {scrape["job_name"] for scrape in monitoring.read_yaml(CONFIGURATION)["scrape_configs"]},
}
EVERY = pytest.mark.parametrize(
    ("where", "expression"), EXPRESSIONS, ids=[f"{w} {n}" for n, (w, _) in enumerate(EXPRESSIONS)]
)


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", CONFIGURATION), ("check", "rules", ALERTS), ("test", "rules", ALERTS_TEST)],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_promtool_agrees(arguments: tuple[object, ...]) -> None:
    command = [monitoring.tool("promtool"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _tested(fires: bool) -> set[str]:
    found = set()
    for case in monitoring.read_yaml(ALERTS_TEST)["tests"]:
        for probe in case.get("promql_expr_test", ()):
            name = re.search(r'alertname="(\w+)", alertstate="firing"', probe["expr"])
            if name and bool(probe["exp_samples"]) is fires:
                found.add(name[1])
    return found


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is silent"])
def test_each_alert_has_a_case_in_which_it(fires: bool) -> None:
    assert _tested(fires) == {rule["alert"] for rule in monitoring.alerts()}


def test_each_alert_says_how_bad_it_is_what_happened_and_what_to_do() -> None:
    for rule in monitoring.alerts():
        assert rule["labels"].get("severity") in {"critical", "warning"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, rule["alert"]
        told = rule["annotations"]["description"]
        one = rule["expr"].endswith(") == 1")  # then there is nothing to tell
        assert "$value" in told or one, f"{rule['alert']} does not tell its value"


@EVERY
def test_it_names_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    known = monitoring.series()
    named = monitoring.metrics_in(expression)
    assert named, expression
    assert named - known.keys() == set()
    labels = TARGET.union(*(known[name] for name in named))
    assert monitoring.grouped_by(expression) - labels == set()
    for metric, label, operator, value in monitoring.matchers(expression):
        assert label in known[metric] | TARGET, f"{metric} has no {label}"
        if operator in {"=", "!="} and label in VALUES:
            assert value in VALUES[label], f"{label} is never {value}"


def test_legends_and_texts_name_labels_that_are_left() -> None:
    told = [(query.expression, query.legend) for query in monitoring.queries()]
    told += [(rule["expr"], text) for rule in monitoring.alerts() for text in rule["annotations"].values()]
    for expression, text in told:
        named = set(re.findall(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}", text))
        left = monitoring.grouped_by(expression) - {"le"}
        if "by (" not in expression:
            left |= TARGET | {label for _, label, *_ in monitoring.matchers(expression)}
        assert named <= left, f"{text!r} of {expression!r}"


def test_every_metric_is_looked_at() -> None:
    named = set[str]().union(*(monitoring.metrics_in(expression) for _, expression in EXPRESSIONS))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert {PREFIX + row.name for row in rows()} - plain == set()


def test_a_name_that_is_wrong_is_found() -> None:
    """The checks above can fail."""
    assert monitoring.metrics_in('sum by (topic) (rte(ringback_lag{topic="x"}[5m:1m])) > 3 or up') == {
        "rte",
        "ringback_lag",
        "up",
    }
    assert monitoring.grouped_by("max by (a, b) (x) and on (c) y") == {"a", "b", "c"}
    assert list(monitoring.matchers('x{a="1", b=~"2|3"}')) == [("x", "a", "=", "1"), ("x", "b", "=~", "2|3")]


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = monitoring.dashboard()["panels"]
    return panels


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = _panels()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["w"] > 0
        assert place["h"] > 0
        assert 0 <= place["x"] <= 24 - place["w"], panel["title"]
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one['title']} lies over {other['title']}"


def test_panels_say_what_they_show_and_in_which_unit() -> None:
    for panel in _panels():
        if panel["type"] == "row":
            continue
        assert len(panel["description"]) > 40, panel["title"]
        assert panel["type"] == "state-timeline" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_rows_are_the_way_of_a_record() -> None:
    rows = [panel["title"] for panel in _panels() if panel["type"] == "row"]
    assert rows == ["In", "Decided", "Delivered", "Time", "Trouble", "Processes"]


def test_the_dashboard_asks_the_chosen_datasource_and_knows_its_variables() -> None:
    board = monitoring.dashboard()
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables.keys() == {"datasource", "partner", "instance"}
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asking = [panel for panel in _panels() if panel["type"] != "row"]
    asking += [target for panel in asking for target in panel["targets"]]
    asking += [variables["partner"], variables["instance"]]
    assert all(one["datasource"] == chosen for one in asking)
    used = {name for _, expression in EXPRESSIONS for name in re.findall(r"\$(\w+)", expression)}
    assert used == {"partner", "instance", "__rate_interval"}
    assert board["id"] is None, "the id is Grafana's own"


def test_grafana_takes_rates_over_the_interval_that_prometheus_scrapes_by() -> None:
    provisioned = monitoring.read_yaml(monitoring.DEPLOY / "grafana/provisioning/datasources/prometheus.yml")
    (source,) = provisioned["datasources"]
    assert source["type"] == "prometheus"
    assert source["jsonData"]["timeInterval"] == monitoring.read_yaml(CONFIGURATION)["global"]["scrape_interval"]
