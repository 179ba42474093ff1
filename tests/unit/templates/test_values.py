from __future__ import annotations

import pytest

from tests.unit.templates.rendering import in_query, written


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (5, "5"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (1.5e-10, "0.00000000015"),
        (123456789012345680.0, "123456789012345680"),
        (-0.0, "0"),
        (-2.50, "-2.5"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_a_number_is_written_in_its_shortest_form_without_exponent(number: float, text: str) -> None:
    assert written("{revenue}", {"revenue": number}) == text


def test_booleans_are_true_and_false() -> None:
    assert written("{is_organic} {consent}", {"is_organic": True, "consent": False}) == "true false"


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert in_query("{click_id}", {"click_id": "a\ud800b"}) == "a%EF%BF%BDb"


def test_the_two_halves_of_a_surrogate_pair_are_joined() -> None:
    assert in_query("{click_id}", {"click_id": "\ud83d\ude00"}) == "%F0%9F%98%80"


@pytest.mark.parametrize("modifier", ["text", "sha256", "base64url", "json", "upper"])
def test_half_a_surrogate_pair_breaks_no_modifier(modifier: str) -> None:
    assert written(f"{{click_id|{modifier}}}", {"click_id": "\udfff"})


def test_a_value_of_64_kilobytes_is_written_whole() -> None:
    assert len(in_query("{click_id}", {"click_id": "é" * 32_768})) == 6 * 32_768
