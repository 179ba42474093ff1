"""How many processes a machine has room for (`streams.processes.cores`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.processes.cores import cores

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("max 100000\n", HERE),
        ("100000 100000\n", 1),
        ("20000 100000\n", 1),
        (f"{HERE * 400_000} 100000\n", HERE),
        ("nonsense", HERE),
    ],
)
def test_as_many_as_the_container_may_use(tmp_path: Path, quota: str, count: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert cores(file) == count


def test_without_a_control_group_all_that_there_are(tmp_path: Path) -> None:
    assert cores(tmp_path / "none") == HERE
