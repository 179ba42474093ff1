from __future__ import annotations

import pytest

from tests.unit.templates.rendering import HOST, error, errors, written


def test_double_braces_are_literal_braces() -> None:
    assert written("{{click_id}} {{{click_id}}}", {"click_id": "c"}) == "{click_id} {c}"


def test_a_value_that_reads_like_a_macro_or_a_secret_is_never_expanded() -> None:
    value = "{user_id}${env:ACME_KEY}{{x}}"
    assert written("{click_id}", {"click_id": value, "user_id": "u"}) == value


def test_a_single_closing_brace_is_an_error() -> None:
    mistake = error(url=HOST, method="POST", body="ab}c")
    assert (mistake.path, mistake.column, mistake.hint) == (("body",), 3, "a literal brace is written '}}'")


@pytest.mark.parametrize("template", ["ab{click_id", "ab{", "ab{click_id|default:${env:X}"])
def test_an_open_brace_is_an_error_at_its_column(template: str) -> None:
    mistake = error(url=HOST, method="POST", body=template)
    assert (mistake.column, mistake.message) == (3, "'{' is not closed")


def test_a_brace_before_a_macro_is_an_error_and_the_macro_is_still_looked_at() -> None:
    found = errors(url=HOST, method="POST", body='{"id": "{clickid}"}')
    assert [mistake.column for mistake in found] == [1, 10, 19]


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    found = errors(
        url=f"{HOST}/{{a1}}",
        method="POST",
        headers={"X-A": "{a2}"},
        body={"deep": ["{a3}", {"er": "{a4}"}]},
    )
    assert [mistake.path for mistake in found] == [
        ("url",),
        ("body", "deep", 0),
        ("body", "deep", 1, "er"),
        ("headers", "X-A"),
    ]


def test_an_error_reads_with_its_place_column_and_hint() -> None:
    assert str(error(url=f"{HOST}/{{clickid}}")) == "url:32: unknown macro 'clickid' (did you mean 'click_id'?)"


def test_a_dollar_sign_before_a_macro_is_a_dollar_sign() -> None:
    assert written("${revenue}", {"revenue": 5.0}) == "$5"


def test_an_argument_may_hold_a_reference_with_a_bar_and_a_brace() -> None:
    assert written("{click_id|default:${file:/run/secrets/acme}|upper}") == "FROM A FILE"


def test_a_reference_that_is_not_closed_is_an_error() -> None:
    assert "not closed" in error(url=HOST, method="POST", body="a ${env:KEY").message


@pytest.mark.parametrize("reference", ["${env:}", "${env:1A}", "${env:A-B}", "${file:}"])
def test_a_reference_that_is_none_is_an_error(reference: str) -> None:
    mistake = error(url=HOST, method="POST", body=f"a {reference}")
    assert (mistake.column, "is not a reference" in mistake.message) == (3, True)
