"""What a topic holds, as columns."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from streams.broker import REMEDY
from streams.local import server
from streams.local.read import absent, columns
from tests.support.processes import ROOT

RECEIPT = b'{"kind": "attempt", "status": 503, "at": 1795313129904, "error": null, "replay": false}'
DECISION = json.dumps(
    {"record_id": "r1", "verdicts": [{"postback_id": "a", "job_id": "j1"}, {"postback_id": "b", "reason": "paused"}]}
).encode()


def test_fields_become_columns_and_times_times_of_day() -> None:
    assert columns([RECEIPT], ["kind", "status", "at", "error", "replay", "no"]).splitlines() == [
        "kind     status  at        error  replay  no",
        "attempt  503     02:05:29  -      false   -",
    ]


def test_a_list_gives_a_row_for_each_of_its_items() -> None:
    fields = ["record_id", "verdicts.postback_id", "verdicts.job_id", "verdicts.reason"]
    assert [line.split() for line in columns([DECISION], fields).splitlines()[1:]] == [
        ["r1", "a", "j1", "-"],
        ["r1", "b", "-", "paused"],
    ]


@pytest.mark.parametrize("value", [b'{"verdicts": [], "record_id": "r1"}', b'{"record_id": "r1"}'])
def test_without_items_there_is_one_row(value: bytes) -> None:
    assert columns([value], ["record_id", "verdicts.reason"]).splitlines()[1].split() == ["r1", "-"]


def test_an_object_without_a_column_of_its_own_is_json() -> None:
    assert columns([b'{"a": {"b": [1, "\\u00fc"]}}'], ["a"]).splitlines()[1] == '{"b": [1, "ü"]}'


def test_a_field_that_no_record_has_is_told_with_the_one_that_may_be_meant() -> None:
    fields = ["knid", "error", "verdicts.postback_di", "verdicts.reason", "verdicts", "zzz"]
    assert absent([RECEIPT, DECISION], fields) == [
        "no record has a field knid; did you mean kind?",
        "no record has a field verdicts.postback_di; did you mean verdicts.postback_id?",
        "no record has a field zzz",
    ]
    assert absent([], ["knid"]) == []


def test_without_kafka_it_says_so_once() -> None:
    code = "import sys; from streams.local import read; read.REACH_SECONDS = 0.5; sys.exit(read.main(['t']))"
    kafka = f"{server.HOST}:{server.free_port()}"
    environment = {"PYTHONPATH": str(ROOT), "RINGBACK_BOOTSTRAP_SERVERS": kafka}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30)
    first, second, remedy = ran.stderr.splitlines()
    assert first.startswith(f"waiting for Kafka at {kafka}: ")
    assert second.startswith(f"Kafka at {kafka} cannot be reached: ")
    assert (remedy, ran.stdout, ran.returncode) == (f"  → {REMEDY}", "", 1)
