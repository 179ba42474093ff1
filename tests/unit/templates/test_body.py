from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.templates.rendering import HOST, NOW, error, errors, finished, in_json, refusal

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = 'a"b\\c\r\n&=é{x}\x00'


def sent(body: Any, values: dict[str, object] | None = None, headers: dict[str, str] | None = None) -> str:
    finished_body = finished(values, url=HOST, method="POST", body=body, headers=headers or {}).body
    assert finished_body is not None
    return finished_body.decode()


def content_type(body: Any, headers: dict[str, str] | None = None) -> list[str]:
    request = finished(url=HOST, method="POST", body=body, headers=headers or {})
    return [value for name, value in request.headers if name.lower() == "content-type"]


def test_a_request_without_a_body_has_none() -> None:
    request = finished(method="POST")
    assert (request.body, request.headers) == (None, [])


def test_text_is_sent_as_it_is_written_with_its_values_as_they_are() -> None:
    assert sent("a b & {click_id} é", {"click_id": HOSTILE}) == f"a b & {HOSTILE} é"


def test_a_mapping_is_compact_json() -> None:
    body = {"a": 1, "b": [True, None, 2.5, {}], "c": {"d": []}, "é": "text"}
    assert sent(body) == '{"a":1,"b":[true,null,2.5,{}],"c":{"d":[]},"é":"text"}'


@pytest.mark.parametrize(("body", "written"), [([1, "{click_id}"], '[1,"c"]'), (5, "5"), (True, "true"), ({}, "{}")])
def test_lists_and_scalars_are_json_too(body: Any, written: str) -> None:
    assert sent(body, {"click_id": "c"}) == written


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{revenue}", 4.5),
        ("{attribution_number}", 2),
        ("{is_organic}", False),
        ("{click_id}", 'c"1'),
        ("{params}", {"a": [1, None], "b": "x"}),
        ("{params.a}", [1, None]),
        ("{revenue|cents}", 450),
        ("{is_organic|bool10}", 0),
        ("{event_timestamp}", "2026-01-02T03:04:05Z"),
        ("{event_timestamp|unix}", NOW // 1000),
        ("{revenue|text}", "4.5"),
        ("{revenue|json}", "4.5"),
        ("{params|json}", '{"a":[1,null],"b":"x"}'),
        ("{attempt}", 2),
        ("{now}", "2026-01-02T03:04:05Z"),
        ("{now|unix_ms}", NOW),
    ],
)
def test_a_string_that_is_exactly_one_macro_keeps_the_type_of_its_value(template: str, value: object) -> None:
    values = {
        "revenue": 4.5,
        "attribution_number": 2,
        "is_organic": False,
        "click_id": 'c"1',
        "event_timestamp": NOW,
        "params": {"a": [1, None], "b": "x"},
    }
    assert json.loads(in_json({"x": template}, values)) == {"x": value}


def test_a_number_with_fixed_places_is_a_json_number() -> None:
    assert in_json({"x": "{revenue|fixed:2}"}, {"revenue": 4.5}) == '{"x":4.50}'


def test_a_missing_value_alone_is_null_and_among_text_empty() -> None:
    assert in_json({"x": "{click_id}", "y": "<{click_id}>"}) == '{"x":null,"y":"<>"}'


def test_a_default_is_text_in_json_unless_a_modifier_makes_a_number_of_it() -> None:
    assert in_json({"x": "{revenue|default:0}", "y": "{revenue|default:0|int}"}) == '{"x":"0","y":0}'


def test_required_refuses_in_a_body_too() -> None:
    refused = refusal(method="POST", body={"user": {"id": "{user_id|required}"}})
    assert (refused.reason, refused.detail) == ("missing_required", "body.user.id: {user_id} has no value")


def test_a_value_that_json_cannot_hold_refuses() -> None:
    refused = refusal({"params": {"x": float("nan")}}, method="POST", body={"x": "{params.x}"})
    assert refused.reason == "unrenderable"


def test_values_among_text_are_escaped_for_json() -> None:
    assert json.loads(in_json({"x": "<{click_id}>{{}}"}, {"click_id": HOSTILE})) == {"x": f"<{HOSTILE}>{{}}"}


def test_keys_are_literal() -> None:
    assert json.loads(in_json({'{click_id} "{{': 1})) == {'{click_id} "{{': 1}


def test_a_key_that_is_not_text_is_an_error() -> None:
    assert "is not text" in error(method="POST", body={"a": {1: "x"}}).message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_a_literal_that_json_cannot_hold_is_an_error(value: object) -> None:
    mistake = error(method="POST", body={"a": value})
    assert (mistake.path, "cannot be written as JSON" in mistake.message) == (("body", "a"), True)


def test_values_in_json_written_as_text_are_escaped_when_the_content_type_says_json() -> None:
    template = '{{"id": "{click_id}", "all": {params|json}, "n": {revenue}}}'
    headers = {"content-type": "application/vnd.acme+json; charset=utf-8"}
    values = {"click_id": HOSTILE, "params": {"a": HOSTILE}, "revenue": 5.0}
    assert json.loads(sent(template, values, headers)) == {"id": HOSTILE, "all": {"a": HOSTILE}, "n": 5}


def test_raw_does_not_unescape_json() -> None:
    template, headers = '{{"id": "{click_id|raw}"}}', {"Content-Type": "application/json"}
    assert json.loads(sent(template, {"click_id": HOSTILE}, headers)) == {"id": HOSTILE}


def test_a_mapping_with_the_content_type_of_a_form_is_a_form() -> None:
    body = {"a b": "{click_id} x", "n": 1.0, "t": True, "none": None, "list": ["1", "{user_id}"]}
    assert sent(body, {"click_id": "c&d"}, FORM) == "a%20b=c%26d%20x&n=1&t=true&none=&list=1&list="


def test_text_with_the_content_type_of_a_form_has_its_values_encoded() -> None:
    assert sent("a={click_id}&b=c d", {"click_id": "&=+ "}, FORM) == "a=%26%3D%2B%20&b=c d"


def test_an_object_in_a_form_is_an_error() -> None:
    assert "no place for an object" in error(method="POST", body={"a": {"b": 1}}, headers=FORM).message


def test_a_content_type_is_set_unless_a_header_sets_one() -> None:
    assert content_type({}) == ["application/json"]
    assert content_type([]) == ["application/json"]
    assert content_type("x") == ["text/plain; charset=utf-8"]
    assert content_type({}, {"content-type": "application/vnd.acme+json"}) == ["application/vnd.acme+json"]
    assert content_type({}, FORM) == [FORM["Content-Type"]]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_with_a_method_that_has_none_is_an_error(method: str) -> None:
    mistake = error(method=method, body="x")
    assert (mistake.path, mistake.hint) == (("body",), "set method: POST")


def test_mistakes_deep_in_a_body_are_told_with_their_places() -> None:
    found = errors(method="POST", body={"a": [{"b": "{nope1}"}, "{nope2}"]})
    assert [mistake.path for mistake in found] == [("body", "a", 0, "b"), ("body", "a", 1)]
