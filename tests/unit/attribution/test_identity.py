"""Contract §3: which device a record is of, and its own time."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import times
from schemas.config import DAY, MINUTE
from schemas.record import Event, Install
from streams.attribution import identity
from streams.attribution.entry import Entry, Rejection
from tests.unit.attribution.timeline import START, app

ZERO = "00000000-0000-0000-0000-000000000000"


def place(platform: str = "android", **fields: Any) -> Entry | Rejection:
    record = Event(app_id="com.example.game", **{"event_name": "payment", **fields})
    return identity.place(record, "event", START, "events-3-77", app(platform))


def placed(platform: str = "android", **fields: Any) -> Entry:
    entry = place(platform, **fields)
    assert isinstance(entry, Entry), entry
    return entry


def rejected(**fields: Any) -> Rejection:
    rejection = place(**fields)
    assert isinstance(rejection, Rejection), rejection
    return rejection


def test_the_device_key_is_the_app_and_the_first_identifier_present_in_the_apps_order() -> None:
    entry = placed(user_id="u", os_id="o", google_aid="g")
    assert (entry.device_key, entry.device_id) == ("com.example.game|g", "g")
    assert placed(user_id="u", os_id="o").device_key == "com.example.game|o"
    assert placed(user_id="u").device_key == "com.example.game|u"


def test_on_ios_the_idfv_comes_before_the_idfa() -> None:
    assert placed("ios", ios_ifa="fa", ios_ifv="fv").device_id == "fv"


def test_an_app_may_have_its_own_order() -> None:
    record = Event(app_id="com.example.game", event_name="x", user_id="u", google_aid="g")
    entry = identity.place(record, "event", START, "", app(device_key=("user_id", "google_aid")))
    assert isinstance(entry, Entry)
    assert entry.device_id == "u"


@pytest.mark.parametrize(
    ("platform", "field"),
    [("android", "google_aid"), ("ios", "ios_ifa"), ("ios", "ios_ifv"), ("windows", "windows_aid")],
)
def test_advertising_ids_and_the_idfv_are_lower_cased_in_key_and_record(platform: str, field: str) -> None:
    entry = placed(platform, **{field: "AB-Cd"})
    assert entry.device_id == "ab-cd"
    assert getattr(entry.record, field) == "ab-cd"


@pytest.mark.parametrize("field", ["os_id", "user_id"])
def test_other_identifiers_keep_their_case(field: str) -> None:
    entry = placed(**{field: "AbC"})
    assert entry.device_id == "AbC"


@pytest.mark.parametrize("zero", [ZERO, ZERO.replace("-", "")])
@pytest.mark.parametrize("field", ["google_aid", "ios_ifa", "windows_aid"])
def test_an_all_zero_advertising_id_counts_as_absent(field: str, zero: str) -> None:
    entry = placed(**{field: zero, "user_id": "u"})
    assert entry.device_id == "u"
    assert getattr(entry.record, field) is None


def test_an_all_zero_idfv_is_none_of_the_advertising_ids() -> None:
    assert placed("ios", ios_ifv=ZERO).device_id == ZERO


def test_an_empty_identifier_counts_as_absent() -> None:
    assert placed(google_aid="", user_id="u").device_id == "u"


def test_without_an_identifier_of_the_apps_order_it_is_bad_input() -> None:
    for fields in ({}, {"visitor_id": "v"}, {"google_aid": ZERO}, {"google_aid": "", "user_id": ""}):
        assert rejected(**fields).reason == "no_identifier"


def test_the_id_is_the_records_own() -> None:
    assert placed(user_id="u", id="e-1").id == "e-1"


@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_id_is_derived_from_topic_partition_and_offset(missing: str | None) -> None:
    assert placed(user_id="u", id=missing).id == "events-3-77"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("mt_registration", "registration"),
        ("mt_login", "authorization"),
        ("login", "authorization"),
        ("session_begin", "launch"),
        ("purchase", "payment"),
        ("payment", "payment"),
        ("Purchase", "Purchase"),
        ("level_up", "level_up"),
    ],
)
def test_an_alias_means_the_reserved_name(written: str, name: str) -> None:
    entry = placed(user_id="u", event_name=written)
    assert entry.name == name
    assert entry.record.event_name == written


def test_an_install_is_named_install() -> None:
    entry = identity.place(Install(app_id="com.example.game", user_id="u"), "install", START, "o", app())
    assert isinstance(entry, Entry)
    assert (entry.name, entry.kind, entry.at) == ("install", "install", START)


def test_an_event_needs_a_name() -> None:
    assert rejected(user_id="u", event_name="") == Rejection("invalid", "event_name: is empty")


@pytest.mark.parametrize("missing", [None, ""])
def test_the_own_time_defaults_to_the_append_time(missing: str | None) -> None:
    assert placed(user_id="u", event_timestamp=missing).at == START


def test_the_own_time_is_the_one_written() -> None:
    entry = placed(user_id="u", event_timestamp="2025-12-31T23:00:00Z")
    assert (entry.at, entry.appended) == (START - 3_600_000, START)


def test_an_own_time_up_to_5_minutes_after_the_append_time_stays() -> None:
    assert placed(user_id="u", event_timestamp=START + 5 * MINUTE).at == START + 5 * MINUTE


def test_an_own_time_more_than_5_minutes_after_the_append_time_is_taken_as_the_append_time() -> None:
    assert placed(user_id="u", event_timestamp=START + 5 * MINUTE + 1).at == START
    assert placed(user_id="u", event_timestamp=START + DAY).at == START


def test_an_own_time_more_than_a_day_after_the_append_time_is_bad_input() -> None:
    found = rejected(user_id="u", event_timestamp=START + DAY + 1)
    assert found.reason == "time"
    told = [times.text(START + DAY + 1), times.text(START)]
    assert found.detail == f"own time {told[0]} is more than a day after the append time {told[1]}"
    assert told[0].endswith(".001Z")


def test_an_own_time_before_2000_is_bad_input() -> None:
    assert placed(user_id="u", event_timestamp="2000-01-01T00:00:00Z").at == identity.EARLIEST
    found = rejected(user_id="u", event_timestamp="1999-12-31T23:59:59.999Z")
    assert found == Rejection("time", "own time 1999-12-31T23:59:59.999Z is before 2000")
    assert rejected(user_id="u", event_timestamp=0).reason == "time"


@pytest.mark.parametrize("written", [None, START])
def test_an_append_time_after_the_year_9999_is_bad_input(written: int | None) -> None:
    record = Event(app_id="com.example.game", event_name="x", user_id="u", event_timestamp=written)
    found = identity.place(record, "event", START * 1_000, "", app("android"))
    assert found == Rejection("time", "append time after the year 9999: it must be in milliseconds")


def test_a_time_that_cannot_be_read_is_bad_input_that_names_the_field() -> None:
    assert rejected(user_id="u", event_timestamp="soon") == Rejection("invalid", "event_timestamp: not a time: 'soon'")
    click = rejected(user_id="u", click_timestamp="soon")
    assert click == Rejection("invalid", "click_timestamp: not a time: 'soon'")
    install = Install(app_id="com.example.game", user_id="u", install_timestamp="x" * 1000)
    rejection = identity.place(install, "install", START, "o", app())
    assert isinstance(rejection, Rejection)
    assert rejection.detail.startswith("install_timestamp: ")
    assert len(rejection.detail) < 200


def test_the_click_has_no_range_of_its_own() -> None:
    assert placed(user_id="u", click_timestamp=0).clicked == 0
    assert placed(user_id="u", click_timestamp=START + 9 * DAY).clicked == START + 9 * DAY
    assert placed(user_id="u").clicked is None
    assert placed(user_id="u", click_timestamp="").clicked is None


def test_the_platform_of_the_record_does_not_matter() -> None:
    record = Event(app_id="com.example.game", platform="ios", event_name="x", google_aid="g", ios_ifv="v")
    entry = identity.place(record, "event", START, "", app("android"))
    assert isinstance(entry, Entry)
    assert entry.device_id == "g"
