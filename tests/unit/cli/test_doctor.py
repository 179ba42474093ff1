"""The report of `ringback doctor`, on wide and narrow terminals, without one, and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.cli.doctor import lines, summary
from streams.cli.main import run
from streams.doctor.checks import CHECKS, Check, Looked
from streams.doctor.findings import ok, warning, wrong
from streams.errors import RUNTIME

CHECK = Check("topics", "our own", lambda site: [], "r")
LOOKED = Looked(
    CHECK,
    (
        ok("all 17 are there"),
        wrong(
            "ringback.control has 3 partitions, expected 1; Kafka cannot take any away",
            "delete it if it is empty, or choose another RINGBACK_TOPIC_PREFIX",
        ),
    ),
)


@pytest.fixture(autouse=True)
def _logging_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logging.disable", lambda level: None)


def test_without_a_terminal_a_thing_is_a_line() -> None:
    assert list(lines(LOOKED, None)) == [
        "ok       topics         all 17 are there",
        "wrong                   ringback.control has 3 partitions, expected 1; Kafka cannot take any away",
        "                        → delete it if it is empty, or choose another RINGBACK_TOPIC_PREFIX",
    ]


def test_at_80_columns_it_is_wrapped_beside_the_name() -> None:
    assert list(lines(LOOKED, 80)) == [
        "ok       topics         all 17 are there",
        "wrong                   ringback.control has 3 partitions, expected 1; Kafka",
        "                        cannot take any away",
        "                        → delete it if it is empty, or choose another",
        "                          RINGBACK_TOPIC_PREFIX",
    ]


def test_at_40_columns_it_stands_under_the_name() -> None:
    assert list(lines(LOOKED, 40)) == [
        "wrong    topics",
        "  all 17 are there",
        "  ringback.control has 3 partitions,",
        "  expected 1; Kafka cannot take any away",
        "  → delete it if it is empty, or choose",
        "    another RINGBACK_TOPIC_PREFIX",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert [line for line in lines(LOOKED, width) if len(line) > width] == []


def test_what_a_record_holds_cannot_move_the_cursor() -> None:
    (line,) = lines(Looked(CHECK, (warning("device 'a\x1b[2J\n'"),)), None)
    assert line.isprintable()


def test_the_last_line_counts_checks() -> None:
    assert summary([LOOKED, Looked(CHECK, (ok("x"),))]) == "2 checks: 1 ok, 1 wrong"


def test_without_a_broker_every_check_is_made_and_the_status_is_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGBACK_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert run(["doctor", "--json", "--timeout", "0.3"]) == RUNTIME
    report = json.loads(capsys.readouterr().out)
    found = {check["name"]: check for check in report["checks"]}
    assert report["ok"] is False
    assert list(found) == [check.name for check in CHECKS]
    assert found["broker"]["verdict"] == "wrong"
    assert "RINGBACK_BOOTSTRAP_SERVERS" in found["broker"]["findings"][0]["remedy"]
    for name in ("configuration", "inputs", "topics", "keys", "secrets", "clock", "groups"):
        assert [one["found"] for one in found[name]["findings"]] == ["not looked at: Kafka cannot be reached"]
    assert found["disk"]["verdict"] != "wrong"
    assert list(tmp_path.iterdir()) == []
