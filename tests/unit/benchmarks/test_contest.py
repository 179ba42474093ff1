"""Whether contestants have decided the same."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from tests.benchmarks import contest, suites, workload
from tests.benchmarks.stand import Broken


def jobs(count: int, odd: int = -1) -> list[bytes]:
    """Of so many payments; that of the `odd` one is another than it must be."""
    ids = [record["id"] for _, record in workload.payments(10, count)]
    told = [f"job of {one}{' too' if number == odd else ''}" for number, one in enumerate(ids)]
    return [json.dumps({"job_id": job, "record_id": one}).encode() for job, one in zip(told, ids, strict=True)]


def test_the_checksum_of_the_first_is_that_of_who_gets_no_more() -> None:
    assert contest.checksum(reversed(jobs(40)), 10) == contest.checksum(jobs(10))
    assert contest.checksum(jobs(40), 10) != contest.checksum(jobs(40))
    assert contest.checksum(jobs(40, odd=9), 10) != contest.checksum(jobs(10))
    with pytest.raises(Broken, match="1 jobs are there twice"):
        contest.checksum(jobs(40) + jobs(1))


@pytest.mark.parametrize(
    ("name", "odd", "same"),
    [("", -1, True), ("stock", 3, False), ("stock-tuned", 3, False), ("worker", 3, False), ("floor", 30, False)],
)
def test_every_contestant_is_compared(name: str, odd: int, same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(who: str, task: contest.Task) -> dict[str, Any]:
        made = jobs(task.records, odd if who == name else -1)
        return {"checksum": contest.checksum(made), "shared": contest.checksum(made, task.shared)}

    monkeypatch.setattr(suites, "contest", measured)
    given = argparse.Namespace(
        rounds=1, only=["worker", "stock", "stock-tuned", "floor"], records=40, codec="none", devices=10
    )
    if same:
        assert len(list(suites.race(given))) == 4
    else:
        with pytest.raises(Broken, match="other jobs"):
            list(suites.race(given))
