"""What a record says about the transaction that it is of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine import tokens
from streams.engine.tokens import Token

ends = st.lists(st.tuples(st.sampled_from(["w-device-changelog", "w-user-changelog"]), st.integers(0, 99)), max_size=9)


@given(st.text(), st.integers(0, 2**63 - 1), ends)
def test_what_is_carried_is_read_as_it_was_whatever_else_is_there(by: str, number: int, ends: list[tuple[str, int]]):
    token = Token(by, number, tokens.one_for_each(ends))
    other: list[tuple[str, bytes | str | None]] = [("trace", b"1"), ("other", None)]
    assert tokens.carried([*other, *tokens.headers(token)]) == token


@given(st.one_of(st.none(), st.text(), st.binary()))
def test_what_others_have_written_under_that_name_is_none(value: str | bytes | None):
    assert tokens.carried([(tokens.HEADER, value)]) is None
    assert tokens.carried(None) is None
