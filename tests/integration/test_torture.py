"""`ringback torture` in its short form: its own verdict, and that nothing of it stays (faults S1, S2, S3, S17)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.settings import Settings
from tests.support.processes import Start
from tests.support.waiting import eventually

SHORT = (
    *("--kills", "2", "--wipes", "1", "--rebalances", "1", "--zombies", "0", "--broker-restarts", "1"),
    *("--standstills", "0", "--rate", "300", "--waiting", "1000", "--seed", "29", "--deliver"),
)


@pytest.mark.timeout(240)
def test_a_short_run_loses_nothing_and_leaves_nothing_behind(settings: Settings, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    run = start("torture", "--yes", *SHORT, "--json", str(file), TMPDIR=str(tmp_path))
    assert run.wait(200) == 0, run.output()
    assert "PASSED" in run.output()
    ledger = json.loads(file.read_text())
    assert ledger["passed"]
    assert sum(ledger["kills"].values()) == 2
    assert (ledger["wiped"], ledger["rebalances"], ledger["broker_restarts"]) == (1, 1, 0)
    assert "broker restarts" in ledger["left_out"][0]
    assert ledger["records"] > 1_000
    assert ledger["jobs"] > 200
    assert ledger["states"] > 500
    assert ledger["deliveries"]["received"] >= ledger["jobs"]
    assert (ledger["deliveries"]["never"], ledger["deliveries"]["unknown"]) == (0, 0)
    assert ledger["recovery"]["count"] >= 4
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    eventually(lambda: not [one for one in admin.list_topics(timeout=5).topics if one.startswith("torture-")])
    assert not list(tmp_path.glob("ringback-torture-*"))


@pytest.mark.timeout(180)
def test_an_interrupted_run_ends_what_it_started(settings: Settings, start: Start, tmp_path: Path) -> None:
    run = start("torture", "--yes", *SHORT, TMPDIR=str(tmp_path))
    # The workers have joined their group.
    eventually(lambda: "records wait" in run.output(), within=60)
    assert run.end(60) == 130, run.output()
    assert "Traceback" not in run.output()
    assert "everything is ended and removed" in run.output()
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    groups = admin.list_consumer_groups(request_timeout=10).result().valid
    assert not [one.group_id for one in groups if one.group_id.startswith("torture-")]
    eventually(lambda: not [one for one in admin.list_topics(timeout=5).topics if one.startswith("torture-")])
    assert not list(tmp_path.glob("ringback-torture-*"))
