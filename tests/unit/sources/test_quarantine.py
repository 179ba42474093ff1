"""Faults S7: a source that is mostly bad pauses."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.sources.quarantine import Limit, Quarantine


def paused_at(records: Sequence[bool], limit: Limit) -> int | None:
    """The number of the record at which the source pauses; true is a good one."""
    quarantine = Quarantine(limit)
    for number, good in enumerate(records, 1):
        if good:
            quarantine.good()
        elif quarantine.bad():
            return number
    return None


def test_a_source_that_is_all_bad_pauses_before_the_window_is_full() -> None:
    assert paused_at([False] * 100, Limit(window=10, percent=50)) == 6


def test_exactly_the_limit_goes_on() -> None:
    assert paused_at([True, False] * 100, Limit(window=10, percent=50)) is None


def test_a_few_bad_records_after_the_start_stop_nothing() -> None:
    assert paused_at([False] * 5 + [True] * 100, Limit(window=10, percent=50)) is None


def test_bad_records_that_have_left_the_window_are_forgotten() -> None:
    assert paused_at(([False] * 5 + [True] * 10) * 20, Limit(window=10, percent=50)) is None


def test_100_percent_never_pauses() -> None:
    assert paused_at([False] * 1_000, Limit(window=10, percent=100)) is None


def test_a_resumed_source_starts_afresh() -> None:
    quarantine = Quarantine(Limit(window=10, percent=50))
    while not quarantine.bad():
        pass
    assert quarantine.reason() == "6 of the newest 6 records are bad (limit 50 % of 10)"
    quarantine.reset()
    assert not quarantine.exceeded
    assert not quarantine.bad()


def test_good_records_count_in_bulk_too() -> None:
    quarantine = Quarantine(Limit(window=10, percent=10))
    quarantine.bad()
    quarantine.good(9)
    assert quarantine.bad() is False
    quarantine.good(3)
    assert quarantine.bad() is True


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 20), st.integers(1, 100))
def test_it_pauses_exactly_when_a_window_has_too_many(records: list[bool], window: int, percent: int) -> None:
    expected = next(
        (
            end
            for end in range(1, len(records) + 1)
            if not records[end - 1] and records[max(0, end - window) : end].count(False) * 100 > window * percent
        ),
        None,
    )
    assert paused_at(records, Limit(window, percent)) == expected
