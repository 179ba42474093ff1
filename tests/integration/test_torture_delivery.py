"""`ringback torture delivery` in its short form: its own verdict, and that nothing of it stays (D1–D4, D7, D8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.settings import Settings
from tests.support.processes import Start
from tests.support.waiting import eventually

SHORT = ("--jobs", "2000", "--kills", "1", "--rebalances", "1", "--broker-restarts", "1", "--seed", "3")


@pytest.mark.timeout(240)
def test_a_short_run_loses_nothing_and_leaves_nothing_behind(settings: Settings, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    run = start("torture", "delivery", "--yes", *SHORT, "--json", str(file), TMPDIR=str(tmp_path))
    assert run.wait(200) == 0, run.output()
    assert "PASSED" in run.output()
    ledger = json.loads(file.read_text())
    found = ledger["judgement"]
    assert ledger["passed"]
    assert sum(ledger["kills"].values()) == 1
    assert (ledger["rebalances"], ledger["broker_restarts"], ledger["jobs"]) == (1, 0, 2_000)
    assert "broker restarts" in ledger["left_out"][0]
    assert (found["lost"], found["twice"], found["chains"], found["early"]) == (0, 0, 0, 0)
    ends = {partner: sum(outcomes.values()) for partner, outcomes in found["ends"].items()}
    assert (len(ends), sum(ends.values())) == (20, 2_000)
    assert found["ends"]["fails"]["failed"] > 0
    assert found["requests"] > 2_000
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    eventually(lambda: not [one for one in admin.list_topics(timeout=5).topics if one.startswith("torture-")])
    assert not list(tmp_path.glob("ringback-torture-*"))
