"""The table of derived events."""

from __future__ import annotations

import pytest

from streams.attribution import events

CONTRACT = {
    "install", "re_install", "re_engagement", "new_user", "re_engagement_user", "app_open", "session",
    "payment", "payment_ca", "first_payment", "first_payment_ca",
    "custom_payment", "custom_payment_ca", "first_custom_payment", "first_custom_payment_ca",
    "registration", "registration_ca", "first_registration", "first_registration_ca",
    "authorization", "authorization_ca", "first_authorization", "first_authorization_ca",
    "event:<name>", "event_ca:<name>", "first_event:<name>", "first_event_ca:<name>",
}  # fmt: skip


def test_the_table_has_the_contracts_rows_each_once() -> None:
    assert sorted(row.name for row in events.TABLE) == sorted(CONTRACT)


def test_every_row_says_what_it_is_and_where_that_comes_from() -> None:
    assert all(row.doc and row.source for row in events.TABLE)


def test_only_the_first_payments_may_be_counted_by_user() -> None:
    both = {row.name for row in events.TABLE if row.scopes == ("device", "user")}
    assert both == {"first_payment", "first_custom_payment"}


def test_new_user_and_re_engagement_user_are_of_the_user_always() -> None:
    assert {row.name for row in events.TABLE if row.scopes == ("user",)} == {"new_user", "re_engagement_user"}


def test_web_apps_may_only_use_some() -> None:
    families = {row.family for row in events.TABLE if "web" in row.platforms}
    assert families == {
        "new_user",
        "re_engagement",
        "re_engagement_user",
        "registration",
        "authorization",
        "custom_payment",
    }


def test_a_family_keeps_its_bit_for_ever() -> None:
    bits = {row.family: row.bit for row in events.TABLE if row.bit is not None}
    assert bits == {"payment": 0, "custom_payment": 1, "registration": 2, "authorization": 3}


@pytest.mark.parametrize("row", [row for row in events.TABLE if events.NAME not in row.name], ids=lambda row: row.name)
def test_a_name_is_parsed(row: events.Row) -> None:
    assert events.parse(row.name) is row


@pytest.mark.parametrize("form", ["event", "event_ca", "first_event", "first_event_ca"])
def test_a_custom_event_is_parsed_in_each_form(form: str) -> None:
    row = events.parse(f"{form}:level:2")
    assert row is not None
    assert row.name == f"{form}:<name>"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "purchase",
        "launch",
        "event",
        "event:",
        "event:payment",
        "event:purchase",
        "event:install",
        "first_event_ca:install",
        "payment:x",
        "first_install",
        "Install",
    ],
)
def test_what_is_no_derived_event_has_no_row(name: str) -> None:
    assert events.parse(name) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("purchase", "payment"),
        ("first_purchase", "first_payment"),
        ("first_login_ca", "first_authorization_ca"),
        ("mt_registration", "registration"),
        ("session_begin", "app_open"),
        ("launch", "app_open"),
        ("instal", "install"),
        ("reengagement", "re_engagement"),
        ("payment_first", "payment"),
        ("event:purchase", "payment"),
        ("event:install", "install"),
        ("first_event_ca:payment", "first_payment_ca"),
        ("evnt:coins", "event:coins"),
        ("xyz", None),
        ("", None),
    ],
)
def test_did_you_mean(written: str, meant: str | None) -> None:
    assert events.suggest(written) == meant


def test_every_suggestion_is_a_derived_event() -> None:
    names = [*events.RESERVED, *events.ALIASES, "event", "event:", "events:coins", "event:launch", "event:uninstall"]
    for name in names:
        meant = events.suggest(name)
        assert meant is None or events.parse(meant), (name, meant)
