"""How the memory of a worker is shared out among its partitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine import budgets
from streams.settings import Settings

MIB = 2**20


@given(st.integers(1, 40), st.integers(16, 4096))
def test_what_is_fetched_and_what_waits_stays_within_the_setting(inputs: int, mib: int) -> None:
    given = Settings(fetch_buffers=mib * MIB)
    waiting = budgets.waiting(given, inputs)
    fetched = inputs * budgets.partition_fetch(given, inputs)
    assert fetched <= max(given.fetch_buffers // 3, inputs * budgets.FETCH[0])
    merged = inputs * waiting.size * budgets.OVERHEAD
    assert merged <= max(given.fetch_buffers * 2 // 3, inputs * budgets.WAITING[0] * budgets.OVERHEAD)
    assert waiting.records == 2 * given.batch_records


@given(st.integers(16, 4096))
def test_the_writer_can_always_take_the_largest_record(mib: int) -> None:
    given = Settings(producer_buffers=mib * MIB)
    size = budgets.producer(given)
    assert size > 8_000_000
    assert size in (budgets.PRODUCER, given.producer_buffers)
