from __future__ import annotations

import base64
import hashlib

import pytest

from streams.templates.modifiers import MODIFIERS
from tests.unit.templates.rendering import HOST, NOW, error, errors, refusal, written

CONTRACT = (
    "lower upper md5 sha1 sha256 hmac_sha256 base64url unix unix_ms iso date fixed cents int "
    "bool10 json default required raw"
)


def test_every_modifier_of_the_contract_is_there() -> None:
    assert set(CONTRACT.split()) <= set(MODIFIERS)


def test_every_modifier_is_documented() -> None:
    assert all(modifier.doc for modifier in MODIFIERS.values())


def test_modifiers_are_applied_from_left_to_right() -> None:
    upper_first = hashlib.sha256(b"AB").hexdigest()
    assert written("{click_id|upper|sha256}", {"click_id": "Ab"}) == upper_first
    assert written("{click_id|sha256|upper}", {"click_id": "Ab"}) == hashlib.sha256(b"Ab").hexdigest().upper()


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_a_hash_is_lower_case_hex_over_utf_8(name: str) -> None:
    assert written(f"{{click_id|{name}}}", {"click_id": "é"}) == hashlib.new(name, "é".encode()).hexdigest()


def test_base64url_has_no_padding() -> None:
    assert written("{click_id|base64url}", {"click_id": "~~~?é"}) == base64.urlsafe_b64encode(
        "~~~?é".encode()
    ).decode().rstrip("=")


def test_a_time_is_written_to_the_second_in_utc() -> None:
    assert written("{event_timestamp}", {"event_timestamp": NOW}) == "2026-01-02T03:04:05Z"
    assert written("{event_timestamp|iso}", {"event_timestamp": NOW}) == "2026-01-02T03:04:05Z"


def test_unix_is_whole_seconds_and_unix_ms_milliseconds() -> None:
    assert (
        written("{event_timestamp|unix} {event_timestamp|unix_ms}", {"event_timestamp": NOW})
        == "1767323045 1767323045678"
    )


def test_date_is_the_day_in_utc() -> None:
    assert written("{event_timestamp|date}", {"event_timestamp": NOW}) == "2026-01-02"


def test_a_time_before_1970_is_cut_down_to_the_second() -> None:
    assert written("{event_timestamp} {event_timestamp|unix}", {"event_timestamp": -1}) == "1969-12-31T23:59:59Z -1"


def test_a_text_modifier_on_a_time_works_on_what_is_written() -> None:
    assert (
        written("{event_timestamp|md5}", {"event_timestamp": NOW}) == hashlib.md5(b"2026-01-02T03:04:05Z").hexdigest()
    )


@pytest.mark.parametrize(
    ("revenue", "cents"),
    [
        (4.99, "499"),
        (0.005, "1"),
        (1.005, "101"),
        (0.29, "29"),
        (1.115, "112"),
        (-1.005, "-101"),
        (0, "0"),
        (1e16, "1000000000000000000"),
    ],
)
def test_cents_round_half_up_on_the_decimal_value(revenue: float, cents: str) -> None:
    assert written("{revenue|cents}", {"revenue": revenue}) == cents


@pytest.mark.parametrize(
    ("revenue", "whole"), [(0.5, "1"), (1.5, "2"), (2.5, "3"), (2.4999, "2"), (-0.4, "0"), (-0.5, "-1")]
)
def test_int_rounds_half_up_on_the_decimal_value(revenue: float, whole: str) -> None:
    assert written("{revenue|int}", {"revenue": revenue}) == whole


@pytest.mark.parametrize(
    ("template", "revenue", "fixed"),
    [
        ("{revenue|fixed:2}", 1.005, "1.01"),
        ("{revenue|fixed:2}", 5, "5.00"),
        ("{revenue|fixed:0}", 2.5, "3"),
        ("{revenue|fixed:2}", -0.001, "0.00"),
        ("{revenue|fixed:3}", 1e21, "1000000000000000000000.000"),
        ("{revenue|fixed:20}", 1e-7, "0.00000010000000000000"),
    ],
)
def test_fixed_has_so_many_places_half_up(template: str, revenue: float, fixed: str) -> None:
    assert written(template, {"revenue": revenue}) == fixed


def test_bool10_is_one_or_nought() -> None:
    assert written("{is_organic|bool10}{consent|bool10}", {"is_organic": True, "consent": False}) == "10"


@pytest.mark.parametrize(
    ("template", "json"),
    [
        ("{click_id|json}", '"a\\"b"'),
        ("{revenue|json}", "5"),
        ("{is_organic|json}", "true"),
        ("{event_timestamp|json}", '"2026-01-02T03:04:05Z"'),
        ("{params.list|json}", '[1,"é"]'),
        ("{params.list}", '[1,"é"]'),
    ],
)
def test_json_is_the_value_as_json(template: str, json: str) -> None:
    values = {
        "click_id": 'a"b',
        "revenue": 5.0,
        "is_organic": True,
        "event_timestamp": NOW,
        "params": {"list": [1, "é"]},
    }
    assert written(template, values) == json


def test_a_missing_value_is_empty_whatever_its_modifiers() -> None:
    template = (
        "[{click_id|lower|sha256}{revenue|cents}{event_timestamp|date}{is_organic|bool10}{params.x|json}{user_id|raw}]"
    )
    assert written(template) == "[]"
    assert written(template, {"click_id": None, "revenue": None}) == "[]"


def test_an_empty_text_is_a_value() -> None:
    assert written("{click_id|default:none}", {"click_id": ""}) == ""


def test_default_stands_in_for_a_missing_value() -> None:
    assert written("{click_id|default:none}") == "none"
    assert written("{click_id|default:none}", {"click_id": "c"}) == "c"


def test_a_default_may_be_empty_or_hold_colons() -> None:
    assert written("[{click_id|default:}{user_id|default:a:b}]") == "[a:b]"


def test_modifiers_behind_a_default_work_on_it_and_those_before_do_not() -> None:
    assert written("{click_id|upper|default:none}") == "none"
    assert written("{click_id|default:none|upper}") == "NONE"
    assert written("{revenue|default:0|fixed:2}") == "0.00"


def test_a_default_that_its_modifiers_cannot_work_on_is_an_error() -> None:
    assert "not a number" in error(url=f"{HOST}/?r={{revenue|default:none|fixed:2}}").message


def test_required_refuses_a_missing_value() -> None:
    refused = refusal({}, url=f"{HOST}/?c={{click_id|lower|required}}")
    assert (refused.reason, refused.detail) == ("missing_required", "url: {click_id} has no value")


def test_required_leaves_a_value_alone() -> None:
    assert written("{click_id|required|upper}", {"click_id": "c"}) == "C"


def test_a_default_before_required_is_enough() -> None:
    assert written("{click_id|default:none|required}") == "none"


def test_a_default_behind_required_comes_too_late() -> None:
    assert refusal({}, url=f"{HOST}/?c={{click_id|required|default:none}}").reason == "missing_required"


def test_an_unknown_modifier_is_an_error_with_its_column_and_the_nearest_name() -> None:
    mistake = error(url=f"{HOST}/?c={{click_id|sha265}}")
    assert mistake.column == len(f"{HOST}/?c={{click_id|") + 1
    assert mistake.hint == "did you mean 'sha256'?"


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("google_aid|fixed:2", "'fixed' works on a number, and {google_aid} is text"),
        ("revenue|date", "'date' works on a time, and {revenue} is a number"),
        ("event_timestamp|cents", "'cents' works on a number, and {event_timestamp} is a time"),
        ("revenue|bool10", "'bool10' works on true or false, and {revenue} is a number"),
        ("revenue|sha256|int", "'int' works on a number, and what 'sha256' gives is text"),
        ("params|int", "'int' works on a number, and {params} is an object"),
        ("now|fixed:1", "'fixed' works on a number, and {now} is a time"),
    ],
)
def test_a_modifier_on_the_wrong_kind_of_value_is_an_error(macro: str, message: str) -> None:
    assert error(url=f"{HOST}/?x={{{macro}}}").message == message


@pytest.mark.parametrize(
    "macro",
    ["event_timestamp|unix|fixed:1", "revenue|fixed:2|cents", "is_organic|bool10|int", "revenue|fixed:2|sha256"],
)
def test_a_modifier_may_work_on_what_another_gives(macro: str) -> None:
    assert written(f"[{{{macro}}}]") == "[]"


@pytest.mark.parametrize(
    ("macro", "message"),
    [
        ("click_id|lower:x", "takes no argument"),
        ("revenue|fixed", "fixed:<n>"),
        ("revenue|fixed:", "places from 0 to 20"),
        ("revenue|fixed:21", "places from 0 to 20"),
        ("revenue|fixed:-1", "places from 0 to 20"),
        ("revenue|fixed:²", "places from 0 to 20"),
        ("click_id|default", "default:<text>"),
        ("click_id|hmac_sha256", "hmac_sha256:<secret>"),
        ("click_id|hmac_sha256:plain", "must be a reference to a secret"),
        ("click_id|hmac_sha256:${env:1X}", "not a reference to a secret"),
    ],
)
def test_a_wrong_argument_is_an_error(macro: str, message: str) -> None:
    assert message in error(url=f"{HOST}/?x={{{macro}}}").message


def test_every_mistake_in_a_chain_is_told() -> None:
    assert len(errors(url=f"{HOST}/?x={{click_id|lowr|fixed:x|cents}}")) == 3


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("fixed:2", "abc"),
        ("fixed:2", ""),
        ("fixed:2", "NaN"),
        ("fixed:2", "1_000"),
        ("cents", True),
        ("cents", [1]),
        ("int", "1e999999999"),
        ("int", 10**400),
        ("date", "yesterday"),
        ("date", {"a": 1}),
        ("date", 1e300),
        ("bool10", 2),
        ("bool10", "yes"),
        ("text", float("nan")),
        ("text", float("inf")),
        ("text", object()),
    ],
)
def test_a_value_of_params_that_a_modifier_cannot_work_on_refuses(macro: str, value: object) -> None:
    refused = refusal({"params": {"x": value}}, url=f"{HOST}/?x={{params.x|{macro}}}")
    assert refused.reason == "unrenderable"
    assert refused.detail.startswith("url: {params.x}: ")


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{params.x|cents}", "4.99", "499"),
        ("{params.x|fixed:1}", "-7", "-7.0"),
        ("{params.x|bool10}", "true", "1"),
        ("{params.x|date}", 1_767_323_045, "2026-01-02"),
        ("{params.x|date}", NOW, "2026-01-02"),
        ("{params.x|unix}", "1767323045", "1767323045"),
        ("{params.x|unix}", "2026-01-02T04:04:05+01:00", "1767323045"),
        ("{params.x|unix}", "2026-01-02 03:04:05", "1767323045"),
        ("{params.x|unix_ms}", "2026-01-02T03:04:05.678Z", "1767323045678"),
    ],
)
def test_numbers_and_times_in_params_may_be_written_as_text(template: str, value: object, text: str) -> None:
    assert written(template, {"params": {"x": value}}) == text


@pytest.mark.parametrize("text", ["2026-W01-1", "2026-01-02", "2026-01-02T03:04:05", "1e9", " 1767323045"])
def test_a_time_in_params_is_written_as_a_records_own_time_may_be(text: str) -> None:
    assert refusal({"params": {"x": text}}, url=f"{HOST}/?x={{params.x|unix}}").reason == "unrenderable"


@pytest.mark.parametrize("at", ["soon", 10**18, -(10**18), [], float("inf")])
def test_a_time_that_is_none_refuses(at: object) -> None:
    assert refusal({"event_timestamp": at}, url=f"{HOST}/?t={{event_timestamp}}").reason == "unrenderable"
