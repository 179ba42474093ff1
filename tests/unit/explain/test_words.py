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
        (HOUR + SECOND, "1 h 1 s"),
        (DAY + 30 * MINUTE, "1 d 30 min"),
        (4_000 * DAY, "4,000 d"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(milliseconds: int, text: str) -> None:
    assert words.span(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "limit", "text"),
    [
        (30 * DAY + SECOND, 30 * DAY, "30 d 1 s"),
        (30 * DAY - SECOND, 30 * DAY, "29 d 23 h 59 min 59 s"),
        (30 * DAY + 1, 30 * DAY, "30 d 1 ms"),
        (30 * DAY - 1, 30 * DAY, "29 d 23 h 59 min 59 s 999 ms"),
        (30 * DAY, 30 * DAY, "30 d"),
        (-(DAY + 30 * MINUTE + 5), DAY, "1 d 30 min"),
        (40 * DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND + 5, 30 * DAY, "40 d 2 h 3 min 4 s"),
        (5, 30 * DAY, "5 ms"),
        (0, 30 * DAY, "0 s"),
        (1_500, None, "1 s 500 ms"),
        (1_500, 1_500, "1 s 500 ms"),
    ],
)
def test_durations_that_are_compared_with_a_limit_carry_the_verdict(
    milliseconds: int, limit: int | None, text: str
) -> None:
    assert words.exact(milliseconds, limit) == text


def test_times_in_the_texts_of_topics_are_told_as_times() -> None:
    assert words.in_iso(f"own time {START} is more than a day after the append time 0") == (
        "own time 2026-01-01T00:00:00Z is more than a day after the append time 1970-01-01T00:00:00Z"
    )
    assert words.in_iso("own time 2026-01-01T00:00:00Z, 12 s") == "own time 2026-01-01T00:00:00Z, 12 s"


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
