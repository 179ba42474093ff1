from __future__ import annotations

import msgspec
import pytest

from schemas.config import Endpoint
from schemas.record import TOUCH_FIELDS, Event, Install
from streams.templates import macros
from streams.templates.request import compile_request
from tests.unit.templates.rendering import HOST, error, in_json, written

FIELDS = {field.name for record in (Install, Event) for field in msgspec.structs.fields(record)}


def test_the_macros_of_the_record_are_exactly_the_fields_of_the_records() -> None:
    named = {macro.name for macro in macros.MACROS.values() if macro.level == "record"}
    assert named | set(TOUCH_FIELDS) == FIELDS
    assert not named & set(TOUCH_FIELDS)


def test_what_supply_network_data_withholds_is_the_touch_and_what_the_attribution_says() -> None:
    withheld = {macro.name for macro in macros.MACROS.values() if macro.level == "attribution"}
    assert withheld == {*TOUCH_FIELDS, "attribution_number", "is_organic", "is_reattribution"}


#: What the contract names beside the fields of records, in its words and order.
NAMED = (
    "event event_name event_id job_id attempt postback_id app_id bundle_id partner_id device_id event_timestamp "
    "install_timestamp click_timestamp attribution_number is_organic is_reattribution now"
)


def test_every_macro_that_the_contract_names_is_there_and_there_is_no_other() -> None:
    assert [name for name in NAMED.split() if macros.find(name) is None] == []
    assert macros.MACROS.keys() == FIELDS | set(NAMED.split())
    assert macros.FAMILIES.keys() == {"params", "partner"}


@pytest.mark.parametrize("name", ["consent", "validated"])
def test_the_kind_of_a_boolean_field_is_bool(name: str) -> None:
    assert macros.MACROS[name].kind == "bool"


def test_the_kind_of_each_time_is_time() -> None:
    times = {macro.name for macro in macros.MACROS.values() if macro.kind == "time"}
    assert times == {name for name in macros.MACROS if name.endswith("_timestamp")} | {"now"}


def test_every_macro_is_documented() -> None:
    assert all(macro.doc for macro in (*macros.MACROS.values(), *macros.FAMILIES.values()))


def test_an_unknown_macro_is_an_error_with_its_column_and_the_nearest_name() -> None:
    mistake = error(url=f"{HOST}/i?c={{clickid}}")
    assert (mistake.path, mistake.column) == (("url",), len(f"{HOST}/i?c={{") + 1)
    assert "clickid" in mistake.message
    assert mistake.hint == "did you mean 'click_id'?"


def test_a_macro_like_no_other_is_an_error_without_a_suggestion() -> None:
    assert error(url=f"{HOST}/?x={{zzzzzz}}").hint is None


@pytest.mark.parametrize("name", ["", " click_id", "params.", "partner", "params. x", "touch.click_id"])
def test_a_name_that_is_not_quite_a_macro_is_unknown(name: str) -> None:
    assert "unknown macro" in error({}, url=f"{HOST}/?x={{{name}}}").message


def test_a_secret_without_its_dollar_sign_is_explained() -> None:
    assert error(url=f"{HOST}/?x={{env:KEY}}").hint == "a secret is written ${env:KEY}"


def test_the_request_knows_which_values_it_needs() -> None:
    url = f"{HOST}/{{click_id}}?a={{params.level}}&b={{now}}&c={{attempt}}&d={{partner.key}}"
    compiled = compile_request(Endpoint(url=url), {"key": "k"})
    assert compiled.macros == {"click_id", "params.level"}


def test_params_are_looked_up_by_their_name() -> None:
    assert written("{params.level}", {"params": {"level": 7}}) == "7"


def test_dots_of_a_params_name_go_into_objects() -> None:
    assert written("{params.item.price}", {"params": {"item": {"price": 1.5}}}) == "1.5"


def test_a_params_name_with_a_dot_of_its_own_comes_before_objects() -> None:
    assert written("{params.a.b}", {"params": {"a.b": "own", "a": {"b": "inner"}}}) == "own"


@pytest.mark.parametrize("params", [None, {}, {"a": None}, {"a": "text"}, {"a": {"c": 1}}])
def test_params_that_are_not_there_are_missing(params: object) -> None:
    assert written("[{params.a.b}]", {"params": params}) == "[]"


def test_all_params_are_one_object() -> None:
    assert in_json({"all": "{params}"}, {"params": {"a": [1, "x"]}}) == '{"all":{"a":[1,"x"]}}'


def test_a_field_of_the_partner_is_literal_text() -> None:
    assert written("{partner.key}", {"click_id": "never"}, {"key": "{click_id}|x"}) == "{click_id}|x"


def test_a_field_that_the_partner_lacks_is_an_error() -> None:
    mistake = error({"app_key": "k"}, url=f"{HOST}/?k={{partner.appkey}}")
    assert "no field 'appkey'" in mistake.message
    assert mistake.hint == "did you mean 'app_key'?"


def test_a_field_that_the_partner_lacks_may_have_a_default() -> None:
    assert written("{partner.key|default:none|upper}") == "NONE"
