"""Modifiers whose outcome is written alike everywhere are not encoded: it must be what encoding would have given."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.job import Place
from streams.templates import places, values
from streams.templates.errors import Unrenderable
from streams.templates.modifiers import MODIFIERS, Modifier

SHORT = {name: modifier for name, modifier in MODIFIERS.items() if modifier.as_is is not None}
VALUES = st.one_of(
    st.floats(),
    st.floats(0, 10_000).map(lambda number: round(number, 2)),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(max_size=8),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
ARGUMENTS = {"fixed": ("0", "1", "2", "3", "20")}


def written(value: object, *steps: Any) -> str:
    """What these steps make of the value, or why they cannot."""
    try:
        for step in steps:
            value = step(value)
    except Unrenderable as problem:
        return f"refused: {problem}"
    return str(value)


def bound(modifier: Modifier, argument: str) -> tuple[Any, Any]:
    """The step, and the one that writes at once."""
    assert modifier.bind is not None
    assert modifier.as_is is not None
    return modifier.bind(argument), modifier.as_is(argument)


@pytest.mark.parametrize("name", SHORT)
@given(value=VALUES)
@example(value=-0.0)
@example(value=1e22)
@example(value=1.5e-7)
@example(value=12.345)
@example(value=1_767_225_600_123)
def test_what_is_written_as_it_is_is_what_encoding_gives(name: str, value: object) -> None:
    for argument in ARGUMENTS.get(name, ("",)):
        step, as_is = bound(SHORT[name], argument)
        for place in get_args(Place):
            for raw in (False, True):
                assert written(value, as_is) == written(value, step, places.encoder(place, raw))
        if SHORT[name].gives == "number":
            assert written(value, as_is) == written(value, step, values.json_text)


def test_the_modifiers_of_most_templates_are_among_them() -> None:
    assert {"sha256", "md5", "sha1", "unix", "fixed", "cents"} <= SHORT.keys()
