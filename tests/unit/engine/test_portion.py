"""How many records a batch takes at most."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streams.engine.portion import DECIDE_S, LEAST, UNDER_WAY, Portion

Decided = st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 5)), max_size=50)


def test_what_is_cheap_to_decide_fills_the_batch():
    portion = Portion(2_000)
    assert portion.size(1) == 2_000
    portion.decided(2_000, 0.06)
    assert portion.size(8) == 2_000


def test_a_batch_of_dear_records_is_over_in_time():
    portion = Portion(2_000)
    for _ in range(20):
        portion.decided(portion.size(8), portion.size(8) * 500e-6)
    assert portion.size(8) * 500e-6 <= DECIDE_S


def test_it_grows_again_when_records_are_cheap_again():
    portion = Portion(2_000)
    portion.decided(2_000, 2.0)
    assert portion.size(8) < 500
    for _ in range(40):
        portion.decided(portion.size(8), portion.size(8) * 50e-6)
    assert portion.size(8) == 2_000


@example([(1, 2e-311)], 0, 2_000)
@given(Decided, st.integers(0, 200), st.integers(1, 20_000))
def test_its_bounds_hold_whatever_was_decided(decided: list[tuple[int, float]], partitions: int, most: int):
    portion = Portion(most)
    for records, seconds in decided:
        portion.decided(records, seconds)
    size = portion.size(partitions)
    assert min(most, LEAST) <= size <= most
    assert size * partitions <= max(UNDER_WAY, LEAST * partitions)
