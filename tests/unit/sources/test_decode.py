"""Contract §3: what a record may look like, and what becomes of one that does not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Source
from schemas.dead_letter import REASONS
from schemas.record import Event, Install
from streams.sources.decode import MAX_DEPTH, Decoder, Rejected

LIMIT = 10_000
EVENTS = Decoder(Source(topic="events", record="event"), LIMIT)
INSTALLS = Decoder(Source(topic="installs", record="install"), LIMIT)
BASE = {"app_id": "game", "event_name": "payment"}


def event(**fields: Any) -> Any:
    return EVENTS.decode(json.dumps(BASE | fields).encode())


def install(**fields: Any) -> Any:
    return INSTALLS.decode(json.dumps({"app_id": "game"} | fields).encode())


def mapped(record: dict[str, Any], **mapping: str) -> Any:
    decoder = Decoder(Source(topic="events", record="event", mapping=mapping), LIMIT)
    return decoder.decode(json.dumps(record).encode())


def test_a_record_of_known_fields_is_taken_as_it_is() -> None:
    assert event(user_id="u", revenue=1.5, consent=True) == Event(**BASE, user_id="u", revenue=1.5, consent=True)


def test_an_install_needs_no_event_name() -> None:
    assert install(user_id="u") == Install(app_id="game", user_id="u")
    assert install(user_id="u", event_name="install") == Install(app_id="game", user_id="u", event_name="install")


def test_unknown_fields_are_kept_as_params() -> None:
    assert event(level=3, tags=["a"]).params == {"level": 3, "tags": ["a"]}


def test_unknown_fields_join_params_and_explicit_ones_win() -> None:
    assert event(level=3, sword="long", params={"level": 4}).params == {"level": 4, "sword": "long"}


def test_fields_of_an_event_are_params_of_an_install() -> None:
    assert install(revenue=3).params == {"revenue": 3}


def test_null_is_absent() -> None:
    assert event(user_id=None, level=None, params=None) == Event(**BASE)


@pytest.mark.parametrize("field", ["user_id", "google_aid", "publisher_name", "touch_type", "event_timestamp"])
def test_an_empty_text_is_absent(field: str) -> None:
    assert event(**{field: ""}) == Event(**BASE)


def test_an_empty_event_name_of_an_install_is_absent() -> None:
    assert install(event_name="") == Install(app_id="game")


def test_an_empty_text_in_params_stays() -> None:
    assert event(params={"note": ""}).params == {"note": ""}


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"user_id": 7}, "user_id: expected text, found a whole number"),
        ({"revenue": "1.5"}, "revenue: expected a number, found text"),
        ({"consent": "yes"}, "consent: expected true or false, found text"),
        ({"params": [1]}, "params: expected an object, found a list"),
        ({"params": "x", "level": 3}, "params: expected an object, found text"),
        ({"touch_type": "view"}, "touch_type: expected click or impression, found 'view'"),
        (
            {"event_timestamp": True},
            "event_timestamp: expected a whole number or a number or text, found true or false",
        ),
        ({"app_id": None}, "app_id: required, and absent or empty"),
        ({"app_id": ""}, "app_id: required, and absent or empty"),
        ({"app_id": 7}, "app_id: expected text, found a whole number"),
        ({"event_name": ""}, "event_name: required, and absent or empty"),
        ({"event_name": None}, "event_name: required, and absent or empty"),
        ({"params": {"n": 2**64}}, "params: a number of more than 64 bits; write it as text"),
        ({"event_timestamp": 10**30}, "the record's own time: expected a time, found a number of more than 64 bits"),
        ({"click_timestamp": 10**30}, "click_timestamp: expected a time, found a number of more than 64 bits"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_what_was_expected(fields: dict[str, Any], detail: str) -> None:
    assert event(**fields) == Rejected("invalid", detail)


def test_an_install_in_a_source_of_events_is_refused_with_the_remedy() -> None:
    rejected = event(event_name="install")
    assert rejected.reason == "invalid"
    assert "record: install" in rejected.detail


def test_another_event_in_a_source_of_installs_is_refused_with_the_remedy() -> None:
    rejected = install(event_name="payment")
    assert rejected == Rejected(
        "invalid", "event_name: expected install, or no event_name, in a source of installs, found 'payment'"
    )


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"null",
        b"17",
        b'{"app_id":"a","event_name":"x"} {"app_id":"a","event_name":"x"}',
        b'{"app_id":"\xff","event_name":"x"}',
        b'{"app_id":"\\ud800","event_name":"x"}',
        b'{"app_id":"a","event_name":"x","revenue":NaN}',
        b'{"app_id":"a","event_name":"x","revenue":-Infinity}',
        b'{"app_id":"a","event_name":"x","params":{"x":NaN}}',
        b'{"app_id":"a","event_name":"x","mine":' + b"[" * 4_000 + b"]" * 4_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_undecodable(value: bytes) -> None:
    rejected = EVENTS.decode(value)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "undecodable"


def test_a_number_that_json_can_write_and_nothing_can_hold_is_invalid() -> None:
    rejected = EVENTS.decode(b'{"app_id":"a","event_name":"x","revenue":1e999}')
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "invalid"


def test_null_and_too_large_have_their_own_reasons() -> None:
    assert EVENTS.decode(None) == Rejected("null", "the value is null: expected a JSON object")
    assert EVENTS.decode(b" " * (LIMIT + 1)) == Rejected(
        "too_large", "the value has 10,001 bytes: expected at most 10,000"
    )


def test_of_a_key_given_twice_the_last_holds() -> None:
    record = EVENTS.decode(b'{"app_id":"a","event_name":"x","user_id":"1","user_id":"2"}')
    assert record == Event(app_id="a", event_name="x", user_id="2")


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_params_may_be_nested_as_deep_as_anything_can_write_them_again() -> None:
    assert event(mine=nested(MAX_DEPTH - 1)).params == {"mine": nested(MAX_DEPTH - 1)}
    assert event(mine=nested(MAX_DEPTH)).reason == "invalid"


def test_a_mapped_field_comes_from_its_place() -> None:
    record = mapped(
        {"app": "game", "name": "buy", "user": {"id": "u"}}, app_id="app", event_name="name", user_id="user.id"
    )
    assert record == Event(app_id="game", event_name="buy", user_id="u")


def test_a_mapped_field_does_not_come_from_its_own_name() -> None:
    record = mapped(BASE | {"id": "row 7"}, id="event_id")
    assert record == Event(**BASE, params={"id": "row 7"})


def test_what_is_left_of_a_mapped_record_is_params() -> None:
    record = mapped(BASE | {"user": {"id": "u", "level": 3}, "x": 1}, user_id="user.id")
    assert record == Event(**BASE, user_id="u", params={"user": {"level": 3}, "x": 1})


def test_one_place_can_be_two_fields() -> None:
    assert mapped(BASE | {"uid": "u"}, user_id="uid", os_id="uid") == Event(**BASE, user_id="u", os_id="u")
    assert mapped(BASE | {"os_id": "o"}, user_id="os_id") == Event(**BASE, user_id="o", os_id="o")


def test_a_field_with_dots_in_its_name_is_found_by_it() -> None:
    assert mapped(BASE | {"user.id": "u", "user": {"id": "other"}}, user_id="user.id").user_id == "u"


def test_a_wrong_value_of_a_mapped_field_is_told_with_its_place() -> None:
    rejected = mapped(BASE | {"user": {"id": 7}}, user_id="user.id")
    assert rejected == Rejected("invalid", "user_id (from user.id): expected text, found a whole number")


def test_a_place_that_leads_through_something_else_is_absent() -> None:
    assert mapped(BASE | {"user": "u"}, user_id="user.id") == Event(**BASE, params={"user": "u"})


def test_a_mapping_of_a_field_that_does_not_exist_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="user_idd"):
        Decoder(Source(topic="events", record="event", mapping={"user_idd": "u"}), LIMIT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = st.sampled_from([*Event.__struct_fields__, *Install.__struct_fields__, "mine", "user", "params.x"])
RECORDS = st.dictionaries(FIELDS | st.text(), JSON, max_size=8)
MAPPING = Decoder(
    Source(topic="t", record="event", mapping={"app_id": "user.app", "user_id": "mine", "id": "a.b.c"}), LIMIT
)


@given(
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | RECORDS.map(lambda r: json.dumps(BASE | r).encode())
)
def test_nothing_raises_and_every_refusal_has_a_known_reason(value: bytes) -> None:
    for decoder in (EVENTS, INSTALLS, MAPPING):
        found = decoder.decode(value)
        if isinstance(found, Rejected):
            assert found.reason in REASONS
            assert found.detail
        else:
            # Whatever was taken can be written again, in both of our forms.
            msgspec.json.encode(found)
            msgspec.msgpack.encode(found)


@given(RECORDS)
def test_a_record_means_the_same_by_either_way_of_decoding(record: dict[str, Any]) -> None:
    value = json.dumps({"app_id": "a", "event_name": "x"} | record).encode()
    with_own_field = json.dumps({"app_id": "a", "event_name": "x", "zzz": 1} | record | {"zzz": 1}).encode()
    fast, general = EVENTS.decode(value), EVENTS.decode(with_own_field)
    if isinstance(fast, Rejected) or isinstance(general, Rejected):
        assert isinstance(fast, Rejected)
        assert isinstance(general, Rejected)
        return
    assert general.params is not None
    del general.params["zzz"]
    assert fast == general or (fast.params is None and not general.params and _without_params(fast, general))


def _without_params(one: Event | Install, other: Event | Install) -> bool:
    return msgspec.structs.replace(one, params=None) == msgspec.structs.replace(other, params=None)
