"""What a measured number means, at its boundaries."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from streams.doctor import release, verdicts
from streams.doctor.findings import Verdict, worst

ROOT = Path(__file__).parents[3]
T = 1_700_000_000_000


@pytest.mark.parametrize(
    ("stamped", "verdict", "said"),
    [
        (T, "ok", "less than 40 ms"),
        (T + 40, "ok", "less than 40 ms"),
        (T + 1_040, "ok", "1.0 s behind"),
        (T + 1_041, "warning", "1.0 s behind"),
        (T - 1_001, "warning", "1.0 s ahead of"),
        (T + 30_040, "warning", "30.0 s behind"),
        (T + 30_041, "wrong", "30.0 s behind"),
        (T - 3_600_000, "wrong", "3,600.0 s ahead of"),
    ],
)
def test_a_stamp_outside_of_what_our_clock_showed_is_the_difference(stamped: int, verdict: str, said: str) -> None:
    found = verdicts.clock(T, stamped, T + 40)
    assert found.verdict == verdict
    assert said in found.found


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(3 * verdicts.GIB, "ok"), (2 * verdicts.GIB - 1, "warning"), (200 * verdicts.MIB - 1, "wrong")],
)
def test_free_space(free: int, verdict: str) -> None:
    found = verdicts.space("/data", free)
    assert found.verdict == verdict
    assert "/data" in found.found
    assert ("RINGBACK_STATE_DIR" in found.remedy) == (verdict != "ok")


@pytest.mark.parametrize(
    ("limit", "partitions", "verdict"),
    [(1_024, 3, "ok"), (1_024, 4, "warning"), (255, 1, "wrong"), (2**31, 1_000, "ok")],
)
def test_open_files_are_counted_for_a_worker_with_all_partitions(limit: int, partitions: int, verdict: str) -> None:
    found = verdicts.open_files(limit, partitions)
    assert found.verdict == verdict
    assert ("ulimit -n" in found.remedy) == (verdict != "ok")


def test_a_group_without_members_is_a_warning_with_the_command() -> None:
    found = verdicts.group("sender", "g", "EMPTY", 0, 1_234)
    assert (found.verdict, found.remedy) == ("warning", "start one: `ringback sender`")
    assert "1,234 records" in found.found


def test_a_group_with_members_tells_its_lag_and_that_it_rebalances() -> None:
    assert verdicts.group("worker", "g", "Stable", 2, 0).found == "worker group g: 2 processes, nothing to read"
    found = verdicts.group("worker", "g", "PreparingRebalance", 1, None)
    assert found == ("ok", "worker group g: 1 process (preparing rebalance)", "")


@pytest.mark.parametrize(
    ("version", "required", "verdict"),
    [
        ("0.15.3", "==0.15.3", "ok"),
        ("0.15.4", "==0.15.3", "wrong"),
        ("2.9", ">=2.14", "wrong"),
        ("2.14.0", ">=2.14", "ok"),
        ("10.0", ">=2.14", "ok"),
        ("0.3.28+local1", ">=0.3.28", "ok"),
        (None, ">=2.14", "wrong"),
    ],
)
def test_a_package_must_have_the_version_that_is_required(version: str | None, required: str, verdict: str) -> None:
    found = verdicts.package("thing", version, required)
    assert found.verdict == verdict
    assert ("pip install" in found.remedy) == (verdict == "wrong")


def test_the_required_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {f"{name}{required}" for name, required in verdicts.REQUIRED.items()} <= set(project["dependencies"])


def test_an_old_python_is_wrong() -> None:
    assert verdicts.python((3, 10, 14)).verdict == "wrong"
    assert verdicts.python((3, 11, 0)).verdict == "ok"


def test_others_that_bring_a_package_of_our_name_are_named() -> None:
    assert verdicts.owners({"schemas": ["ringback"], "streams": ["ringback"]}) == []
    (found,) = verdicts.owners({"schemas": ["ringback", "schemas-of-others"], "rich": ["rich"]})
    assert found.verdict == "wrong"
    assert "schemas-of-others" in found.found
    assert found.remedy == "pip uninstall schemas-of-others"


@pytest.mark.parametrize(("level", "capped"), [(14, False), (15, True), (30, True), (None, False)])
def test_since_3_7_more_insync_replicas_than_replicas_are_not_asked_for(level: int | None, capped: bool) -> None:
    assert release.caps_insync(level) is capped


@pytest.mark.parametrize(("verdicts_", "expected"), [([], "ok"), (["ok", "wrong", "warning"], "wrong")])
def test_the_worst_of_several(verdicts_: list[Verdict], expected: Verdict) -> None:
    assert worst(verdicts_) == expected


@pytest.mark.parametrize(
    ("level", "named"),
    [(7, "3.3"), (20, "3.8"), (25, "4.0"), (30, "4.3"), (33, "4.4 or newer"), (None, "older than 3.3, or not Kafka")],
)
def test_a_release_is_named_by_its_highest_level(level: int | None, named: str) -> None:
    assert release.release(level).startswith(named)
