"""What a partner repeats of secrets is taken out of what it says."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.echoes import SHORTEST, Echoes

#: Long enough, and of nothing that stands in the texts around it.
secrets = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="env:K{}$"), min_size=SHORTEST)


@given(secrets, st.sampled_from([str, quote, quote_plus, lambda text: quote(text, safe=""), json.dumps]))
def test_a_secret_is_found_however_it_is_written(secret: str, written) -> None:  # type: ignore[no-untyped-def]
    echoes = Echoes()
    echoes.sent("env:K", secret)
    told = echoes.hidden(f"{{{written(secret)}}} {{{written(secret)}}}", whole=True)
    assert told.replace('"', "") == "{${env:K}} {${env:K}}"


@pytest.mark.parametrize("length", range(SHORTEST, 13))
def test_one_that_is_cut_at_the_end_is_found_too(length: int) -> None:
    echoes = Echoes()
    echoes.sent("env:K", "s3cr3t-value")
    assert echoes.hidden("no " + "s3cr3t-value"[:length], whole=False) == "no ${env:K}"
    assert echoes.hidden("no " + "s3cr3t-value"[:length] + "!", whole=False).startswith("no ")


def test_the_longer_of_two_is_taken_first_and_short_ones_stay() -> None:
    echoes = Echoes()
    for name, value in [("env:A", "abcd"), ("env:B", "abcdef"), ("env:C", "abc")]:
        echoes.sent(name, value)
    assert echoes.hidden("abcdef abcd abc", whole=True) == "${env:B} ${env:A} abc"


def test_a_value_that_was_changed_is_looked_for_a_while() -> None:
    echoes = Echoes()
    for value in ("first-value", "second-value", "second-value", "third-value"):
        echoes.sent("env:K", value)
    assert echoes.hidden("first-value second-value third-value", whole=True) == "first-value ${env:K} ${env:K}"
