"""Times, durations and names as people read them."""

from __future__ import annotations

import pytest

from schemas.config import DAY, HOUR, MINUTE, SECOND
from streams.explain import words
from tests.unit.explain.building import START


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 s"),
        (5, "5 ms"),
        (1_500, "1 s 500 ms"),
        (3 * HOUR + 12 * MINUTE + 5 * SECOND, "3 h 12 min"),
        (30 * DAY, "30 d"),
        (-HOUR, "1 h"),
        (HOUR + SECOND, "1 h"),
        (4_000 * DAY, "4,000 d"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(milliseconds: int, text: str) -> None:
    assert words.span(milliseconds) == text


def test_times_are_told_in_utc_and_never_fail() -> None:
    assert words.moment(START) == "2026-01-01T00:00:00Z"
    assert words.moment(START + 5) == "2026-01-01T00:00:00.005Z"
    assert words.moment(-(1 << 62)) == "0001-01-01T00:00:00Z"
    assert words.moment(1 << 62) == "9999-12-31T23:59:59.999Z"


def test_lists_are_told_as_sentences() -> None:
    assert words.listed([]) == "none"
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"], "or") == "a, b or c"
    assert (words.count(1, "record"), words.count(1_200, "record")) == ("1 record", "1,200 records")
