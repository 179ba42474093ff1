from __future__ import annotations

import pytest

from tests.unit.templates.rendering import HOST, error, finished, parameters, refusal


def query(rows: tuple[object, ...], values: dict[str, object] | None = None, url: str = f"{HOST}/i") -> str:
    return finished(values, url=url, parameters=rows).url.removeprefix(f"{HOST}/i")


def test_parameters_are_added_to_the_query_in_their_order() -> None:
    assert query(parameters(("a", "1"), ("b", "{click_id}")), {"click_id": "c"}) == "?a=1&b=c"


@pytest.mark.parametrize(
    ("url", "expected"),
    [("/i", "?a=1"), ("/i?x=y", "?x=y&a=1"), ("/i?", "?a=1"), ("/i?x=y&", "?x=y&a=1"), ("/i?x={click_id}", "?x=c&a=1")],
)
@pytest.mark.parametrize("when_missing", ["empty", "drop"])
def test_the_separator_is_the_one_that_the_url_needs(url: str, expected: str, when_missing: str) -> None:
    rows = parameters(("z", "{user_id}", "drop"), ("a", "1", when_missing))
    assert query(rows, {"click_id": "c"}, HOST + url) == expected
    assert query(rows[1:], {"click_id": "c"}, HOST + url) == expected


def test_a_macro_argument_with_a_question_mark_makes_no_query() -> None:
    assert query(parameters(("a", "1")), {}, f"{HOST}/i{{click_id|default:?}}") == "%3F?a=1"


def test_the_literal_text_of_names_and_values_is_encoded() -> None:
    assert (
        query(parameters(("data[x] y", "a&b=c {{d}} é+%2C"))) == "?data%5Bx%5D%20y=a%26b%3Dc%20%7Bd%7D%20%C3%A9%2B%252C"
    )


def test_a_missing_value_is_empty_by_default() -> None:
    assert query(parameters(("a", "x{click_id}y"), ("b", "{user_id}"))) == "?a=xy&b="


def test_a_parameter_with_drop_is_dropped_when_its_value_is_missing() -> None:
    rows = parameters(("a", "{click_id}", "drop"), ("b", "{user_id}", "drop"))
    assert query(rows, {"click_id": "c"}) == "?a=c"
    assert query(rows, {"user_id": "u"}) == "?b=u"
    assert query(rows, {"click_id": "c", "user_id": "u"}) == "?a=c&b=u"
    assert query(rows) == ""


def test_a_parameter_with_several_macros_is_missing_when_any_of_them_is() -> None:
    rows = parameters(("a", "{click_id}-{user_id}", "drop"), ("b", "1"))
    assert query(rows, {"click_id": "c"}) == "?b=1"
    assert query(rows, {"click_id": "c", "user_id": "u"}) == "?a=c-u&b=1"


@pytest.mark.parametrize("value", ["{click_id|default:none}", "{attempt}", "literal", "{partner.key}"])
@pytest.mark.parametrize("when_missing", ["drop", "skip_postback"])
def test_what_is_never_missing_is_neither_dropped_nor_refused(value: str, when_missing: str) -> None:
    rows = parameters(("a", value, when_missing))
    assert finished({}, {"key": "${env:ACME_KEY}"}, url=f"{HOST}/i", parameters=rows).url.startswith(f"{HOST}/i?a=")


def test_skip_postback_refuses_when_a_value_is_missing() -> None:
    rows = parameters(("a", "1"), ("b", "{click_id}{user_id}", "skip_postback"))
    refused = refusal({"click_id": "c"}, parameters=rows)
    assert (refused.reason, refused.detail) == ("missing_required", "parameters.1.value: {user_id} has no value")


def test_a_deferred_part_in_a_dropped_parameter_goes_with_it() -> None:
    rows = parameters(("a", "{click_id|hmac_sha256:${env:ACME_KEY}}", "drop"), ("b", "{attempt}"))
    assert query(rows) == "?b=2"


@pytest.mark.parametrize("when_missing", ["empty", "drop", "skip_postback"])
def test_a_parameter_may_be_deferred_for_one_record_and_not_for_another(when_missing: str) -> None:
    rows = parameters(("a", "{click_id|default:${env:OTHER}}", when_missing))
    assert query(rows) == "?a=other"
    assert query(rows, {"click_id": "c"}) == "?a=c"


def test_a_raw_value_may_bring_parameters_of_its_own_but_not_leave_the_query() -> None:
    assert query(parameters(("a", "{click_id|raw}")), {"click_id": "1&b=2#c"}) == "?a=1&b=2%23c"


def test_a_macro_in_a_name_is_an_error() -> None:
    mistake = error(parameters=parameters(("a{click_id}", "1")))
    assert mistake.path == ("parameters", 0, "name")
    assert "literal" in mistake.message


def test_a_parameter_without_a_name_is_an_error() -> None:
    assert error(parameters=parameters(("", "1"))).message == "a parameter needs a name"


def test_a_mistake_in_a_value_is_told_with_the_number_of_its_parameter() -> None:
    mistake = error(parameters=parameters(("a", "1"), ("b", "x{nope}")))
    assert (mistake.path, mistake.column) == (("parameters", 1, "value"), 3)
