from __future__ import annotations

import pytest

from streams.templates.headers import RESERVED
from tests.unit.templates.rendering import error, errors, finished, refusal


def test_a_header_is_rendered_as_it_is_without_percent_encoding() -> None:
    sent = finished({"user_agent": 'Mozilla/5.0 (x; "y") é 100%'}, headers={"X-Agent": "<{user_agent}>"})
    assert sent.headers == [("X-Agent", '<Mozilla/5.0 (x; "y") é 100%>')]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00b", "\x1b[0m", "\x7f"])
def test_a_value_with_a_line_break_or_control_character_refuses(value: str) -> None:
    refused = refusal({"click_id": value}, headers={"X-Click": "{click_id}"})
    assert refused.reason == "unrenderable"
    assert refused.detail.startswith("headers.X-Click: {click_id}: ")


def test_raw_lets_no_line_break_into_a_header() -> None:
    assert refusal({"click_id": "a\r\nb"}, headers={"X-Click": "{click_id|raw}"}).reason == "unrenderable"


def test_a_tab_is_legal_in_a_header() -> None:
    assert finished({"click_id": "a\tb"}, headers={"X-Click": "{click_id}"}).headers == [("X-Click", "a\tb")]


def test_a_missing_value_leaves_the_header_empty() -> None:
    assert finished(headers={"X-Click": "{click_id}"}).headers == [("X-Click", "")]


@pytest.mark.parametrize("name", ["", "X Click", "X:Click", "X-Click\r\n", "X-Clíck", "X(Click)"])
def test_an_illegal_name_is_an_error(name: str) -> None:
    mistake = error(headers={name: "x"})
    assert (mistake.path, "not a legal name" in mistake.message) == (("headers", name), True)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Idempotency-Key"])
def test_a_header_that_the_sender_sets_is_an_error(name: str) -> None:
    assert name.lower() in RESERVED
    assert "set by the sender" in error(headers={name: "x"}).message


def test_the_same_name_in_upper_and_lower_case_is_an_error() -> None:
    assert "twice" in error(headers={"X-Key": "a", "X-KEY": "b"}).message


def test_a_line_break_in_literal_text_is_an_error() -> None:
    assert "control character" in error(headers={"X-Key": "a\nb"}).message


def test_a_line_break_in_a_field_of_the_partner_is_an_error() -> None:
    (mistake,) = errors({"key": "a\nb"}, headers={"X-Key": "{partner.key}"})
    assert "control character" in mistake.message
