"""The demo's sample configuration shows what a configuration can say, and says it rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.attribution import events
from streams.config.load import load_directory
from streams.demo.configuration import FILES, load_configuration, write_configuration

URL = "http://127.0.0.1:4711/"


def test_the_files_are_a_configuration_as_they_stand() -> None:
    assert len(load_directory(FILES).postbacks) == len(load_configuration(URL, "").postbacks)


def test_what_is_written_is_what_is_loaded(tmp_path: Path) -> None:
    write_configuration(tmp_path / "new" / "config", URL, "demo.")
    assert load_directory(tmp_path / "new" / "config") == load_configuration(URL, "demo.")


def test_the_input_topics_have_the_prefix() -> None:
    sources = load_configuration(URL, "demo.").sources
    assert [(source.topic, source.record) for source in sources] == [
        ("demo.installs", "install"),
        ("demo.events", "event"),
    ]


def test_every_request_goes_to_the_partner_below_the_name_of_its_network() -> None:
    for postback in load_configuration(URL, "").postbacks:
        assert postback.endpoint.url.startswith(f"http://127.0.0.1:4711/{postback.partner}/")


def test_every_address_tells_the_attempt_and_nothing_else_that_only_the_sender_knows() -> None:
    """The partner answers by it, and what it must be asked for can be told beforehand."""
    for postback in load_configuration(URL, "").postbacks:
        assert postback.endpoint.url.count("attempt={attempt}") == 1
        told = [postback.endpoint.url, *(one.value for one in postback.endpoint.parameters)]
        assert not [one for one in told if "{now" in one or "${" in one]


def test_partners_apps_and_agency() -> None:
    configuration = load_configuration(URL, "")
    assert [partner.id for partner in configuration.partners] == ["acme_ads", "globex", "initech", "northwind"]
    assert [(app.platform, app.install_grace) for app in configuration.apps] == [("android", 2_000), ("ios", 2_000)]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("delivery_method", {"network", "network_and_agency", "all"}),
        ("status", {"active", "shadow"}),
        ("delivery_delay", {0, 3_000}),
        ("retry_attempts", {0, 3}),
        ("scope", {"device", "user"}),
    ],
)
def test_the_postbacks_show_each_kind(key: str, values: set[object]) -> None:
    assert {getattr(postback, key) for postback in load_configuration(URL, "").postbacks} == values


def test_the_postbacks_show_the_vocabulary_of_devices_and_of_users() -> None:
    postbacks = load_configuration(URL, "").postbacks
    assert {postback.event for postback in postbacks} == {
        "install", "payment", "first_payment", "payment_ca", "first_payment_ca", "re_engagement",
        "session", "new_user", "re_engagement_user", "event:tutorial_done", "event:level_up",
    }  # fmt: skip
    assert all(events.parse(postback.event) for postback in postbacks)
    assert {postback.endpoint.method for postback in postbacks} == {"GET", "POST"}
