"""The arithmetic of the benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import figures


def test_a_percentile_is_the_smallest_value_that_its_share_does_not_exceed() -> None:
    hundred = list(range(1, 101))
    assert [figures.percentile(hundred, share) for share in (0.5, 0.99, 0.999, 1.0)] == [50, 99, 100, 100]
    assert figures.percentile([7], 0.5) == 7
    with pytest.raises(ValueError):
        figures.percentile([], 0.5)


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.001, 1.0))
def test_a_percentile_leaves_at_most_the_rest_above_it(values: list[int], share: float) -> None:
    found = figures.percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_percentiles_need_no_order() -> None:
    assert figures.percentiles([3, 1, 2]) == {"p50": 2, "p99": 3, "p99.9": 3, "max": 3}


def test_what_came_at_the_first_moment_is_not_in_the_rate() -> None:
    assert figures.rate([0, 0, 0, 5, 10]) == 0.2
    with pytest.raises(ValueError):
        figures.rate([4, 4])


def test_a_steady_stream_has_its_rate_in_any_part_of_it() -> None:
    steady = [number / 50 for number in range(1_000)]
    for begin, end in ((0.0, 1.0), (0.4, 0.9), (0.0, 0.1)):
        assert figures.rate(steady, begin, end) == pytest.approx(50)


def test_what_was_used_is_counted_from_the_first_progress_to_the_end() -> None:
    samples = [(0.0, 7.0), (10.0, 8.0), (30.0, 12.0), (50.0, 16.0), (50.0, 99.0)]
    assert figures.used(samples, 0, 50) == pytest.approx(0.2)
    assert figures.used(samples, 10, 50) == pytest.approx(0.2)


def test_nothing_is_said_of_what_was_used_when_it_was_all_done_between_two_looks() -> None:
    assert figures.used([(0.0, 7.0), (50.0, 9.0)], 0, 50) is None
    assert figures.used([], 0, 50) is None
