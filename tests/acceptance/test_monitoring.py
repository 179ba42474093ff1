"""What a user sees of a running Ringback: a real Prometheus scrapes the demo, and every panel has something to show."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streams.local.guarded import GuardedProcess
from streams.settings import PREFIX
from tests.support import monitoring, prometheus
from tests.support.processes import ROOT
from tests.support.prometheus import Prometheus
from tests.support.waiting import eventually

#: Longer than the test: it ends the demo when it has seen enough.
SECONDS = "90"
#: Until every panel has data: the first redeliveries and dead letters are there within seconds.
WITHIN = 60.0
#: Metrics of what the demo does not do: there is no rekeyed source in it.
NOT_IN_DEMO = frozenset({"ringback_records_rekeyed_total", "ringback_replays_finished_total"})
#: Panels in which zeros alone would be wrong: the demo has holds, refusals, slow answers and bad records. (Those of
#: what does not go wrong in it, paused sources say, show zeros.)
NOT_ONLY_ZERO = frozenset(
    {
        "Dead letters",
        "Failed attempts",
        "Failed attempts by partner",
        "Jobs put off",
        "Jobs waiting in delay topics",
        "Next retry due",
        "Partners held",
        "Records held",
        "Records in",
    }
)
ADDRESS = re.compile(r"probes: http://(127\.0\.0\.1:\d+)/readyz\s")


class Watched(NamedTuple):
    """A running demo and the Prometheus that scrapes it."""

    demo: GuardedProcess
    prometheus: Prometheus


def _probes(demo: GuardedProcess, folder: Path, name: str) -> str:
    """Where a process of the demo serves its metrics, which is in its log."""

    def found() -> str | None:
        if not demo.running:
            raise RuntimeError(f"the demo has ended:\n{demo.log_tail()}")
        logs = "".join(path.read_text() for path in folder.glob(f"ringback-demo-*/logs/{name}.log"))
        told = ADDRESS.search(logs)
        return told and told[1]

    return eventually(found, within=60, what=f"the {name} serves its metrics")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """The demo, in a temporary folder of the test's own, and Prometheus."""
    monitoring.tool("prometheus")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = [sys.executable, "-m", "streams.cli.main", "demo", "--seconds", SECONDS, "--rate", "50"]
    demo = GuardedProcess(command, tmp_path / "demo.log", clean | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)})
    try:
        targets = {f"ringback-{name}": _probes(demo, tmp_path, name) for name in ("worker", "sender")}
        with prometheus.running(tmp_path / "prometheus", targets) as started:
            yield Watched(demo, started)
    finally:
        demo.end(20)


def _variables(watched: Watched) -> list[dict[str, str]]:
    """What Grafana fills in: for "All" what the dashboard says, and for several chosen ones all of them by name."""
    asked = {one["name"]: one for one in monitoring.dashboard()["templating"]["list"] if one["type"] == "query"}
    every = {name: variable["allValue"] for name, variable in asked.items()}
    chosen = {
        name: "({})".format("|".join(map(re.escape, watched.prometheus.label_values(variable["query"]["query"]))))
        for name, variable in asked.items()
    }
    # In a string of PromQL a backslash is written twice.
    chosen = {name: value.replace("\\", "\\\\") for name, value in chosen.items()}
    return [{"__rate_interval": "5s"} | values for values in (every, chosen)]


def _has_data(watched: Watched, query: monitoring.Query, variables: list[dict[str, str]]) -> bool:
    for values in variables:
        found = watched.prometheus.values(monitoring.filled_in(query.expression, values))
        if not (any(found) if query.panel in NOT_ONLY_ZERO else found):
            return False
    return True


@pytest.mark.timeout(240)
def test_every_panel_has_data_and_every_alert_can_be_judged(watched: Watched) -> None:
    missing = [query for query in monitoring.queries() if not any(name in query.expression for name in NOT_IN_DEMO)]
    assert {query.panel for query in missing} >= NOT_ONLY_ZERO

    def all_have_data() -> bool:
        if not watched.demo.running:
            raise RuntimeError(f"the demo has ended:\n{watched.demo.log_tail()}")
        variables = _variables(watched)
        missing[:] = [query for query in missing if not _has_data(watched, query, variables)]
        return not missing

    try:
        eventually(all_have_data, within=WITHIN, every=1.0)
    except AssertionError:
        pytest.fail("no data in\n" + "\n".join(f"{query.panel}: {query.expression}" for query in missing))
    _check_alerts(watched)


def _check_alerts(watched: Watched) -> None:
    def judged() -> list[dict[str, Any]]:
        rules = watched.prometheus.rules()
        assert all(rule["health"] != "unknown" for rule in rules)
        return rules

    rules = eventually(judged, what="every alert is evaluated")
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in monitoring.alerts()}
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    critical = [
        rule["name"] for rule in rules if rule["labels"]["severity"] == "critical" and rule["state"] == "firing"
    ]
    assert critical == [], "the demo is no emergency"
