"""What a directory of YAML says: defaults, kinds of value, and the whole of contract §6."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.config import App, Configuration, Endpoint, Parameter, Partner, Postback, Source
from streams.config.load import load_directory
from streams.config.problems import ConfigurationErrors, Problem
from tests.unit.config.writing import APP, PARTNER, load, postback, told

#: The example of the contract, with every key.
WHOLE = """\
sources:
  - {topic: installs, record: install, format: json}
  - {topic: events, record: event, rekey: false, mapping: {os_id: device.id}, start: latest}
apps:
  - id: com.example.game
    project: example
    platform: android
    bundle_id: com.example.game.store
    device_key: [os_id, user_id]
    inactivity_window: 10d
    install_grace: 30s
    claim_window: 12h
    dedup_window: 36h
    reattribute_to_organic: false
    live_from: 2026-01-02T03:04:05.006Z
    api_keys: [{id: tracker-x, key: "${env:TRACKER_X_KEY}"}]
partners:
  - id: acme_ads
    name: Acme Ads
    aliases: [acme]
    fields: {app_key: "${env:ACME_KEY}"}
    required_fields: [app_key]
    templates:
      install: {url: "https://postback.acme.example/i?click_id={click_id}", headers: {X-Key: "{partner.app_key}"}}
    consent: required
    click_lookback: 3d
    impression_lookback: 90m
    max_in_flight: 7
    rate_limit: 1000/m
    timeout: 250ms
    success_statuses: [2xx, 304]
    no_retry_statuses: [404, 500-599]
    max_age: 1h
postbacks:
  - id: acme-install
    title: An install
    app: com.example.game
    partner: acme_ads
    event: install
    match_event: event:level_up
    status: shadow
    delivery_method: network_and_agency
    campaign: summer
    supply_network_data: false
    delivery_delay: 90s
    retry_attempts: 0
    method: POST
    url: https://postback.acme.example/i?click_id={os_id}&aid={google_aid|lower|sha256}
    parameters: [{name: payout, value: "{revenue|fixed:2}", when_missing: drop}]
    headers: {X-Id: "{job_id}"}
    body: {device: "{os_id}", n: 1, list: [true, null, 1.5]}
  - {id: acme-template, app: com.example.game, partner: acme_ads, event: install}
"""

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def test_every_key_of_the_contract_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    template = Endpoint(
        url="https://postback.acme.example/i?click_id={click_id}", headers={"X-Key": "{partner.app_key}"}
    )
    assert found.generation == 0
    assert found.sources[1] == Source(topic="events", record="event", mapping={"os_id": "device.id"}, start="latest")
    app = found.apps[0]
    assert (app.project, app.bundle_id, app.device_key) == ("example", "com.example.game.store", ("os_id", "user_id"))
    assert (app.inactivity_window, app.install_grace) == (10 * DAY, 30_000)
    assert (app.claim_window, app.dedup_window) == (12 * HOUR, 36 * HOUR)
    assert (app.reattribute_to_organic, app.live_from) == (False, 1_767_323_045_006)
    assert (app.api_keys[0].id, app.api_keys[0].key) == ("tracker-x", "${env:TRACKER_X_KEY}")
    assert found.partners[0] == Partner(
        id="acme_ads",
        name="Acme Ads",
        aliases=("acme",),
        fields={"app_key": "${env:ACME_KEY}"},
        required_fields=("app_key",),
        templates={"install": template},
        consent="required",
        click_lookback=3 * DAY,
        impression_lookback=90 * MINUTE,
        max_in_flight=7,
        rate_limit=1000 / 60,
        timeout=250,
        success_statuses=((200, 299), (304, 304)),
        no_retry_statuses=((404, 404), (500, 599)),
        max_age=HOUR,
    )
    endpoint = Endpoint(
        url="https://postback.acme.example/i?click_id={os_id}&aid={google_aid|lower|sha256}",
        method="POST",
        parameters=(Parameter(name="payout", value="{revenue|fixed:2}", when_missing="drop"),),
        headers={"X-Id": "{job_id}"},
        body={"device": "{os_id}", "n": 1, "list": [True, None, 1.5]},
    )
    assert found.postbacks[0] == Postback(
        id="acme-install",
        title="An install",
        app="com.example.game",
        partner="acme_ads",
        event="install",
        endpoint=endpoint,
        match_event="event:level_up",
        status="shadow",
        delivery_method="network_and_agency",
        campaign="summer",
        supply_network_data=False,
        delivery_delay=90_000,
        retry_attempts=0,
    )
    assert found.postbacks[1].endpoint == template
    assert found.postbacks[1].title == "Acme Ads | install"


def test_what_is_left_out_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    found = load(tmp_path, postback())
    assert found.sources == (Source(topic="installs", record="install"), Source(topic="events", record="event"))
    assert found.apps == (
        App(
            id="game",
            project="game",
            platform="android",
            bundle_id="game",
            device_key=("google_aid", "os_id", "user_id"),
        ),
    )
    assert found.partners == (Partner(id="acme", name="acme"),)
    assert found.postbacks == (
        Postback(
            id="p",
            title="acme | install",
            app="game",
            partner="acme",
            event="install",
            endpoint=Endpoint(url="https://acme.example/"),
        ),
    )


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("android", ("google_aid", "os_id", "user_id")),
        ("ios", ("ios_ifv", "ios_ifa", "os_id", "user_id")),
        ("windows", ("windows_aid", "os_id", "user_id")),
        ("web", ("visitor_id", "user_id")),
    ],
)
def test_the_default_device_key_is_the_platforms(tmp_path: Path, platform: str, expected: tuple[str, ...]) -> None:
    assert load(tmp_path, f"apps: [{{id: a, platform: {platform}}}]").apps[0].device_key == expected


def test_the_files_of_a_directory_are_put_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(postback())
    (tmp_path / "b.yml").write_text("apps: [{id: other, platform: ios}]\npostbacks:\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "README.md").write_text("nonsense")
    assert [app.id for app in load_directory(tmp_path).apps] == ["game", "other"]


def test_an_index_in_a_message_counts_within_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(APP)
    (tmp_path / "b.yaml").write_text("apps:\n- {id: other, platform: tv}\n")
    with pytest.raises(ConfigurationErrors) as raised:
        load_directory(tmp_path)
    assert [str(problem) for problem in raised.value.problems] == [
        f"{tmp_path}/b.yaml:2:25 apps[0].platform 'tv' is none of ios, android, windows, web"
    ]


def app_with(tmp_path: Path, key: str, value: str) -> Configuration:
    return load(tmp_path, f"apps: [{{id: game, platform: android, {key}: {value}}}]")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-02 03:04:05", 1_767_323_045_000),
        ("2026-01-02T05:04:05+02:00", 1_767_323_045_000),
        ("1767323045", 1_767_323_045_000),
        ("1767323045006", 1_767_323_045_006),
        ("'1767323045'", 1_767_323_045_000),
        ("null", None),
        ("", None),
    ],
)
def test_times_are_read_as_those_of_records(tmp_path: Path, written: str, expected: int | None) -> None:
    assert app_with(tmp_path, "live_from", written).apps[0].live_from == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("0s", 0), ("0", 0), ("1500ms", 1500), ("1.5s", 1500), ("2h", 2 * HOUR)]
)
def test_durations_have_units(tmp_path: Path, written: str, expected: int) -> None:
    assert app_with(tmp_path, "install_grace", written).apps[0].install_grace == expected


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("delivery_delay", "11m", "11m lies outside 0s … 10m"),
        ("delivery_delay", "600001ms", "600001ms lies outside 0s … 10m"),
        ("delivery_delay", "5", "expected a duration, found the number 5; write a number with a unit, such as"),
        ("delivery_delay", "soon", "'soon' is not a duration"),
        ("delivery_delay", "-5s", "'-5s' is not a duration"),
        ("retry_attempts", "11", "11 lies outside 0 … 10"),
        ("retry_attempts", "-1", "-1 lies outside 0 … 10"),
        ("retry_attempts", "'3'", "expected a whole number, found '3'"),
        ("retry_attempts", "2.5", "expected a whole number, found 2.5"),
        ("retry_attempts", "true", "expected a whole number, found true"),
        ("status", "Active", "'Active' is none of active, paused, shadow; did you mean active?"),
        ("status", "", "is empty, expected one of active, paused, shadow; give it a value or leave the key out"),
        ("supply_network_data", "yes", "expected true or false, found 'yes'"),
        ("campaign", "7", 'expected a text, found the number 7; write it in quotes: "7"'),
        ("campaign", "''", "is empty"),
        ("method", "get", "'get' is none of GET, POST, PUT, PATCH, DELETE, HEAD; did you mean GET?"),
        ("event", "purchase", "'purchase' is not a derived event; did you mean payment?"),
        ("event", "first_purchase_ca", "'first_purchase_ca' is not a derived event; did you mean first_payment_ca?"),
        ("match_event", "instal", "'instal' is not a derived event; did you mean install?"),
        ("url", "{click_id}", "expected a text, found a mapping; a text that begins with a brace is written in quotes"),
        ("parameters", "{a: b}", "expected a list"),
        ("headers", "[a]", "expected a mapping"),
    ],
)
def test_a_value_that_cannot_stand_there_is_told_with_its_key(
    tmp_path: Path, key: str, value: str, message: str
) -> None:
    lines = told(tmp_path, postback(**{key: value}))
    assert len(lines) == 1
    assert re.fullmatch(rf"\d+:\d+ postbacks\[0\]\.{key} {re.escape(message)}.*", lines[0]), lines[0]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rate_limit", "50", "expected a rate, found the number 50; write 50/s"),
        ("rate_limit", "fast", "'fast' is not a rate"),
        ("rate_limit", "0/s", "0/s lies outside 1/d … 1000000/s"),
        ("success_statuses", "[]", "is empty, expected at least one"),
        ("success_statuses", "[2x]", "'2x' is not an HTTP status"),
        ("success_statuses", "[299-200]", "299-200 is not a range within 200 … 999"),
        ("no_retry_statuses", "[100]", "100 is not a range within 200 … 999"),
        ("fields", "{key: 5}", "expected a text, found the number 5"),
        ("fields", "{key: '${env:a b}'}", "is not a reference to a secret"),
        ("max_age", "7d", "7d lies outside 1s … 6d"),
        ("id", '"a\\tb"', "holds a character that cannot be printed"),
        ("id", "' a'", "begins or ends with a space"),
        ("name", "null", None),
        ("rate_limit", "0.5/s", None),
    ],
)
def test_a_partners_values_are_checked(tmp_path: Path, key: str, value: str, message: str | None) -> None:
    own = {"id": "acme"} | {key: value}
    text = "partners:\n- {" + ", ".join(f"{name}: {each}" for name, each in own.items()) + "}\n"
    if message is None:
        load(tmp_path, text)
        return
    (line,) = told(tmp_path, text)
    assert f"partners[0].{key}" in line
    assert message in line


def test_a_literal_api_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (line,) = told(tmp_path, "apps:\n- {id: a, platform: ios, api_keys: [{id: x, key: s3cret}]}\n")
    assert "write ${env:NAME} or ${file:PATH}" in line
    assert "s3cret" not in line


def test_an_unknown_key_is_told_at_the_key(tmp_path: Path) -> None:
    text = postback(retry_atempts="3", zzz="1")
    lines = told(tmp_path, text)
    assert lines[0] == "11:3 postbacks[0].retry_atempts unknown key; did you mean retry_attempts?"
    assert lines[1].startswith("12:3 postbacks[0].zzz unknown key; the keys are id, title, app,")


def test_an_unknown_key_further_in_is_told_with_the_keys_of_its_place(tmp_path: Path) -> None:
    (line,) = told(tmp_path, postback(parameters="[{name: a, valu: b, value: c}]"))
    assert line.endswith("postbacks[0].parameters[0].valu unknown key; did you mean value?")


def test_a_missing_key_is_told_at_the_item(tmp_path: Path) -> None:
    assert told(tmp_path, "apps:\n- {id: game}\n") == ["2:3 apps[0].platform is missing"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = postback(app="gam", event="purchase", url="https://x.example/?a={nope}", retry_attempts="99")
    text = text.replace("platform: android", "platform: androd").replace("{id: acme}", "{id: acme, timeout: 1}")
    lines = told(tmp_path, text)
    assert [line.split(" ")[1] for line in lines] == [
        "apps[0].platform",
        "partners[0].timeout",
        "postbacks[0].app",
        "postbacks[0].event",
        "postbacks[0].url",
        "postbacks[0].retry_attempts",
    ]


def test_many_mistakes_are_cut_in_the_text_only(tmp_path: Path) -> None:
    text = "apps:\n" + "- {id: 1}\n" * 200
    with pytest.raises(ConfigurationErrors) as raised:
        load(tmp_path, text)
    assert len(raised.value.problems) == 400
    assert "… and 300 more" in str(raised.value)


def test_any_damage_to_a_configuration_is_told_or_harmless(tmp_path: Path) -> None:
    rng = random.Random(5)
    lines = WHOLE.splitlines()
    junk: list[Any] = ["", "- ", "x: [", "\t", "a: b", "&a *a", "!!python/object:os.system", '"', "{", "? ", "<<: 1"]
    for _ in range(150):
        damaged = list(lines)
        for _ in range(rng.randint(1, 3)):
            where = rng.randrange(len(damaged))
            damaged[where : where + rng.randint(0, 2)] = [" " * rng.randint(0, 6) + rng.choice(junk)]
        found: list[Problem] = []
        try:
            load(tmp_path, "\n".join(damaged))
        except ConfigurationErrors as errors:
            found = errors.problems
        assert all(problem.place.line for problem in found), found


def test_thousands_of_postbacks_can_be_read(tmp_path: Path) -> None:
    items = "".join(
        f"- {{id: p{n}, app: game, partner: acme, event: install, url: 'https://a.example/?c={{click_id}}'}}\n"
        for n in range(2_000)
    )
    assert len(load(tmp_path, APP + PARTNER + "postbacks:\n" + items).postbacks) == 2_000
