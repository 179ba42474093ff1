"""The tables that the docs show."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import tables
from tests.benchmarks.suites import SUITES
from tests.benchmarks.tables import TABLES


def run(suite: str, what: dict[str, Any], **measured: float | None) -> dict[str, Any]:
    return {"suite": suite, "what": what, "measured": measured}


RACE = [
    run("race", {"contestant": name}, rate=rate, cpu=cpu, broker=1.0, resident=100.0, others=3.0)
    for name, rate, cpu in (
        ("worker", 30_000, 3.0),
        ("floor", 40_000, 2.0),
        ("worker", 20_000, 2.0),
        ("floor", 50_000, 2.5),
        ("worker", 25_000, 2.5),
        ("floor", 45_000, None),
    )
]


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_a_race_is_told_in_medians_with_ratios_to_the_worker() -> None:
    heading, rule, worker, floor = cells(tables.markdown(TABLES["race"], RACE))
    assert heading[:3] == ["contestant", "records/s", "CPU s per 100,000"]
    assert heading[-3:] == ["worker ÷ it", "CPU, it ÷ worker", "rounds apart by"]
    assert len(rule) == len(heading)
    assert worker == ["worker", "25,000", "2.50", "1.00", "100", "3", "1.00", "1.00", "40%"]
    assert floor == ["floor", "45,000", "2.25", "1.00", "100", "3", "0.56", "0.90", "22%"]


def test_without_the_worker_there_are_no_ratios() -> None:
    *_, floor = cells(tables.markdown(TABLES["race"], [one for one in RACE if one["what"]["contestant"] == "floor"]))
    assert floor[6:8] == ["", ""]


def test_codecs_are_compared_with_the_worker_at_the_same_codec() -> None:
    runs = [
        run("codecs", {"codec": codec, "contestant": name}, rate=rate, cpu=1.0, broker=1.0, others=1.0)
        for codec, name, rate in (("lz4", "worker", 10), ("lz4", "floor", 20), ("none", "worker", 40))
    ]
    _, _, _, floor, plain = cells(tables.markdown(TABLES["codecs"], runs))
    assert floor[:3] == ["lz4", "floor", "20"]
    assert floor[6] == "0.50"
    assert plain[6] == "1.00"


def test_latency_has_its_percentiles_and_no_ratios() -> None:
    what = {"workload": "plain", "codec": "zstd", "rate": 1000.0}
    measured = {"p50": 20, "p99": 50, "p99.9": 80, "max": 90, "cpu_worker": 25.4, "cpu_broker": 30.0, "cpu_others": 1.0}
    heading, _, row = cells(tables.markdown(TABLES["latency"], [run("latency", what, **measured)]))
    assert row == ["plain", "zstd", "1,000", "20", "50", "80", "90", "25", "30", "1"]
    assert len(heading) == len(row)


def test_every_suite_has_its_table() -> None:
    assert set(TABLES) == set(SUITES)


def test_a_file_gives_the_machine_and_a_table_for_each_of_its_suites() -> None:
    machine = {
        "at": "2026-01-02T03:04:05Z",
        "revision": "abc",
        "cores": 2,
        "cpu": "a cpu",
        "memory_gib": 4.0,
        "system": "Linux",
        "python": "3.11",
        "packages": {"faust-streaming": "1", "ringback": "2"},
    }
    text = tables.document_tables({"machine": machine, "runs": RACE})
    assert text.startswith("Measured 2026-01-02 at revision abc: 2 cores (a cpu)")
    assert text.count("| worker |") == 1
