"""What is finished above a committed offset survives its text, in whatever order it has finished."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.runs import METADATA_LIMIT, SHORT, decode_runs, encode_runs, fitting, ranges

#: Such as there are where a backlog ends out of order, and such as there are between others' jobs.
LENGTHS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 40), st.integers(0, 1 << 40)), max_size=400)


def finished(lengths: list[int]) -> list[tuple[int, int]]:
    """Ranges of finished offsets, none next to another."""
    joined: list[tuple[int, int]] = []
    for begin, end in ranges(0, lengths):
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


@given(LENGTHS)
def test_runs_survive_their_text(lengths: list[int]) -> None:
    assert finished(decode_runs(encode_runs(lengths))) == finished(lengths)


@given(st.text(max_size=50), st.text("12.!ABCxyz_-", max_size=50))
def test_a_text_that_is_not_ours_never_raises(text: str, like: str) -> None:
    for one in (text, like, "1" + like, "2" + like):
        assert all(length >= 0 for length in decode_runs(one))


@pytest.mark.parametrize("text", ["2x", "2.AB.A?", "2!AB#", "2.ABC!AB", "3AB", "1A?", "2.g"])
def test_what_is_broken_says_nothing(text: str) -> None:
    assert decode_runs(text) == []


def test_the_first_version_stays_for_what_it_says_well() -> None:
    """A sender from before reads it; the other text it takes for none, and sends again what is in it."""
    assert encode_runs([1, 1]) == "1BB"
    assert encode_runs([100, 7, 2, 40]) == "1kDHCoB"
    assert encode_runs([5, 90_000] * 60)[0] == "1"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_ends_in_any_order_needs_a_sixth_of_a_character_for_each_offset(share: float) -> None:
    chance = random.Random(7)
    lengths, last = [0], "0"
    for _ in range(12_000):
        bit = "1" if chance.random() < share else "0"
        if bit != last:
            lengths.append(0)
        lengths[-1] += 1
        last = bit
    text = encode_runs(lengths)
    assert len(text) <= 12_000 / 6 + 16
    assert finished(decode_runs(text)) == finished(lengths)


@given(LENGTHS)
def test_no_text_is_longer_than_lengths_alone_or_than_bits_alone(lengths: list[int]) -> None:
    text = encode_runs(lengths)
    plain = sum(max(1, (length.bit_length() + 4) // 5) for length in lengths)
    assert len(text) <= 1 + plain
    assert len(text) <= max(SHORT, sum(lengths) / 6 + 24)


@given(LENGTHS, st.integers(1, 3_000))
def test_what_is_cut_says_less_and_nothing_wrong(lengths: list[int], factor: int) -> None:
    many = lengths * factor if len(lengths) % 2 == 0 else [*lengths, 1] * factor
    many = many[:20_000]
    text = fitting(encode_runs(many))
    assert len(text) <= METADATA_LIMIT
    said, known = finished(decode_runs(text)), finished(many)
    assert said == known[: len(said)] or (
        said[:-1] == known[: len(said) - 1]
        and said[-1][0] == known[len(said) - 1][0]
        and said[-1][1] <= known[len(said) - 1][1]
    )
