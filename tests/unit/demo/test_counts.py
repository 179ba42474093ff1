"""What is reported when a demo comes out otherwise than it must."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.demo.counts import COLUMNS, RECORDS, Counts, differences


def some() -> Counts:
    """Of one postback a job delivered, one delivered at the second attempt, one that waits; of another a failed one and
    a shadow.
    """
    counts = Counts()
    for job in ("a1", "a2", "a3"):
        counts.decided("a", job)
        counts.attempted("a", job, 1)
    counts.attempted("a", "a2", 2)
    counts.ended("a", "a1", "delivered")
    counts.ended("a", "a2", "delivered")
    for job in ("b1", "b2"):
        counts.decided("b", job)
    counts.ended("b", "b1", "failed")
    counts.ended("b", "b2", "suppressed")
    counts.records = {"read": 9, "duplicate": 2, "too_late": 1, "dead_letter": 1}
    return counts


def test_columns_count_the_jobs_of_a_postback_and_of_all() -> None:
    counts = some()
    assert [column.name for column in COLUMNS] == [
        "decided", "delivered", "retried", "failed", "suppressed", "waiting",
    ]  # fmt: skip
    assert [counts.count("a", column.name) for column in COLUMNS] == [3, 2, 1, 0, 0, 1]
    assert [counts.count("b", column.name) for column in COLUMNS] == [2, 0, 0, 1, 1, 0]
    assert [counts.count("nobody", column.name) for column in COLUMNS] == [0] * 6
    assert [counts.total(column.name) for column in COLUMNS] == [5, 2, 1, 1, 1, 1]


def test_all_ended_when_nothing_waits() -> None:
    counts = some()
    assert counts.total("waiting") > 0
    counts.ended("a", "a3", "delivered")
    assert counts.total("waiting") == 0


def test_the_same_counts_do_not_differ() -> None:
    assert differences(some(), some()) == []


CHANGES: dict[str, tuple[Callable[[Counts], object], list[str]]] = {
    "a job too many": (
        lambda seen: seen.decided("a", "a9"),
        [
            "a decided: expected 3, observed 4; not expected: a9",
            "a waiting: expected 1, observed 2; not expected: a9",
        ],
    ),
    "another job in its place": (
        lambda seen: seen.postbacks["b"].failed.symmetric_difference_update({"b1", "b9"}),
        [
            "b failed: expected 1, observed 1; missing: b1; not expected: b9",
            "b waiting: expected 0, observed 1; not expected: b1",
        ],
    ),
    "sent again": (
        lambda seen: seen.attempted("a", "a1", 2),
        ["a retried: expected 1, observed 2; not expected: a1"],
    ),
    "expired": (
        lambda seen: seen.ended("a", "a3", "expired"),
        ["a waiting: expected 1, observed 0; missing: a3", "a expired: expected 0, observed 1"],
    ),
    "decided twice": (lambda seen: seen.decided("a", "a1"), ["a: job a1 decided a second time"]),
    "ended twice": (
        lambda seen: seen.ended("a", "a1", "delivered"),
        ["a: job a1 ended a second time, as delivered"],
    ),
    "a postback that is not expected": (
        lambda seen: seen.attempted("c", "c1", 2),
        ["c retried: expected 0, observed 1; not expected: c1"],
    ),
    "a postback that is missing": (
        lambda seen: seen.postbacks.pop("b"),
        [
            "b decided: expected 2, observed 0; missing: b1, b2",
            "b failed: expected 1, observed 0; missing: b1",
            "b suppressed: expected 1, observed 0; missing: b2",
        ],
    ),
    "a record that was not read": (
        lambda seen: seen.records.update(read=8),
        ["records read: expected 9, observed 8"],
    ),
    "records that were not counted": (lambda seen: seen.records.clear(), []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_otherwise_is_told(name: str) -> None:
    change, lines = CHANGES[name]
    seen = some()
    change(seen)
    assert differences(some(), seen) == lines


def test_of_many_ids_some_are_named() -> None:
    seen = some()
    for number in range(1_200):
        seen.attempted("a", f"x{number:04}", 2)
    (line,) = differences(some(), seen)
    assert line == "a retried: expected 1, observed 1,201; not expected: x0000, x0001, x0002 and 1,197 more"


def test_every_name_of_the_records_is_compared() -> None:
    for name in RECORDS:
        wanted, seen = Counts(records={name: 1}), Counts(records={name: 2})
        assert differences(wanted, seen) == [f"records {name}: expected 1, observed 2"]
