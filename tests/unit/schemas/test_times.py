"""Contract §3: the forms in which users write times."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import times
from schemas.record import WrittenTime

NOON = 1_767_355_445_000  # 2026-01-02T12:04:05Z


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-02T12:04:05Z", NOON),
        ("2026-01-02t12:04:05z", NOON),
        ("2026-01-02T14:04:05+02:00", NOON),
        ("2026-01-02T06:34:05-05:30", NOON),
        ("2026-01-02 12:04:05+00:00", NOON),
        ("2026-01-02T12:04:05-00:00", NOON),
        ("2026-01-02T12:04:05.5Z", NOON + 500),
        ("2026-01-02T12:04:05.123456789Z", NOON + 123),
        ("2026-01-02T12:04:05.9999999+00:00", NOON + 999),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2026-01-02 12:04:05", NOON),
        ("2026-01-02 12:04:05.250", NOON + 250),
        (NOON // 1000, NOON),
        (NOON, NOON),
        (NOON / 1000 + 0.001, NOON + 1),
        (1_700_000_000.001, 1_700_000_000_001),
        (NOON + 0.9, NOON),
        (str(NOON // 1000), NOON),
        (str(NOON), NOON),
        (f"{NOON // 1000}.25", NOON + 250),
        (0, 0),
        (-1, -1000),
        ("1969-12-31T23:59:59.5Z", -500),
        (10**30, 253_402_300_799_999),
        (-1e300, -62_135_596_800_000),
        ("9" * 30, 253_402_300_799_999),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
    ],
)
def test_a_time_may_be_rfc_3339_or_plain_utc_or_unix_time(written: WrittenTime, expected: int) -> None:
    assert times.parse(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "yesterday", "", " ", "2026-01-02", "2026-01-02T12:04:05", "2026-01-02T12:04Z", "2026-13-02T12:04:05Z",
        "2026-02-30T12:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T12:04:61Z", "2026-W01-1T12:04:05Z",
        "2026-01-02T12:04:05,5Z", "2026-01-02T12:04:05+25:00", "2026-01-02T12:04:05Z ", "2026-01-02T12:04:05+0200",
        "20260102T120405Z", "1e9", "nan", "0x10", "12:04:05", "٢٠٢٦-01-02T12:04:05Z", "9" * 400,
        float("nan"), float("inf"),
    ],
)  # fmt: skip
def test_what_is_in_no_such_form_is_not_a_time(written: WrittenTime) -> None:
    with pytest.raises(times.UnreadableTimeError):
        times.parse(written)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.integers(-23 * 60, 23 * 60),
)
def test_every_offset_and_fraction_is_read(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    since = there - datetime(1970, 1, 1, tzinfo=UTC)
    assert times.parse(there.isoformat()) == since // timedelta(milliseconds=1)


@given(st.text() | st.floats() | st.integers())
def test_no_input_breaks_the_parser(written: WrittenTime) -> None:
    with contextlib.suppress(times.UnreadableTimeError):
        assert isinstance(times.parse(written), int)


@given(st.integers())
def test_every_time_is_told_as_one_that_is_read_again(at: int) -> None:
    assert times.parse(times.text(at)) == max(times.FIRST, min(times.LAST, at))


def test_a_time_is_told_without_parts_of_a_second_that_it_does_not_have() -> None:
    assert times.text(1_767_323_045_000) == "2026-01-02T03:04:05Z"
    assert times.text(1_767_323_045_010) == "2026-01-02T03:04:05.010Z"
    assert times.text(times.parse("9999-12-31T23:59:60Z")) == "9999-12-31T23:59:59.999Z"
