"""What can be seen only across a whole configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.config.load import load_directory
from streams.config.problems import ConfigurationErrors
from tests.unit.config.writing import APP, PARTNER, load, postback, told


def test_ids_are_unique_over_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(APP)
    (tmp_path / "b.yaml").write_text(APP)
    with pytest.raises(ConfigurationErrors) as raised:
        load_directory(tmp_path)
    (problem,) = raised.value.problems
    assert (
        str(problem) == f"{tmp_path}/b.yaml:2:8 apps[0].id game again; it is defined at {tmp_path}/a.yaml:2:8 already"
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sources:\n- {topic: a, record: event}\n- {topic: a, record: install}\n", "sources[1].topic"),
        ("partners:\n- {id: a}\n- {id: a}\n", "partners[1].id"),
        ("apps:\n- {id: a, platform: ios, device_key: [os_id, os_id]}\n", "apps[0].device_key[1]"),
        (
            "apps:\n- {id: a, platform: ios, api_keys: [{id: k, key: '${env:A}'}, {id: k, key: '${env:B}'}]}\n",
            "apps[0].api_keys[1].id",
        ),
    ],
)
def test_names_that_repeat_are_told(tmp_path: Path, text: str, path: str) -> None:
    (line,) = told(tmp_path, text)
    assert f" {path} " in line
    assert " again; it is defined at " in line


def test_a_postback_that_repeats_an_id_is_told(tmp_path: Path) -> None:
    again = postback().split("postbacks:\n")[1]
    (line,) = told(tmp_path, postback() + again)
    assert "postbacks[1].id p again" in line


def test_a_name_leads_to_one_partner(tmp_path: Path) -> None:
    text = "partners:\n- {id: a, aliases: [x, b]}\n- {id: b, aliases: [x, y, y, b]}\n"
    assert told(tmp_path, text) == [
        "2:24 partners[0].aliases[1] b is a name of b already",
        "3:21 partners[1].aliases[0] x is a name of a already",
        "3:27 partners[1].aliases[2] y is named already",
        "3:30 partners[1].aliases[3] b is named already",
    ]


def test_a_postbacks_app_and_partner_exist(tmp_path: Path) -> None:
    assert told(tmp_path, postback(app="gane", partner="zzz")) == [
        "7:8 postbacks[0].app there is no app gane; did you mean game?",
        "8:12 postbacks[0].partner there is no partner zzz",
    ]


def test_a_web_app_may_use_web_events_only(tmp_path: Path) -> None:
    text = postback(event="payment", match_event="registration").replace("android", "web")
    (line,) = told(tmp_path, text)
    assert "postbacks[0].event payment is not for apps of the platform web; it may use re_engagement, " in line
    text = postback(event="registration", match_event="event:x").replace("android", "web")
    (line,) = told(tmp_path, text)
    assert "postbacks[0].match_event event:x is not for apps of the platform web" in line
    load(tmp_path, postback(event="first_custom_payment_ca").replace("android", "web"))


WEB_INVALID = [
    "install",
    "re_install",
    "payment",
    "first_payment_ca",
    "event:x",
    "first_event_ca:x",
    "app_open",
    "session",
]


@pytest.mark.parametrize("event", WEB_INVALID)
@pytest.mark.parametrize("key", ["event", "match_event"])
def test_what_the_web_does_not_have_is_told_with_what_it_has(tmp_path: Path, key: str, event: str) -> None:
    text = postback(**({"event": "registration"} | {key: event})).replace("android", "web")
    (line,) = told(tmp_path, text)
    allowed = line.partition("; it may use ")[2].split(", ")
    assert f"postbacks[0].{key} {event} is not for apps of the platform web" in line
    families = ("registration", "authorization", "custom_payment")
    forms = ("{}", "{}_ca", "first_{}", "first_{}_ca")
    four = {form.format(family) for family in families for form in forms}
    assert set(allowed) == four | {"new_user", "re_engagement", "re_engagement_user"}
    assert len(allowed) == len(set(allowed))


@pytest.mark.parametrize("event", ["new_user", "re_engagement", "re_engagement_user", "custom_payment", "registration"])
def test_what_the_web_has_is_for_mobile_apps_too(tmp_path: Path, event: str) -> None:
    for platform in ("web", "ios", "android", "windows"):
        load(tmp_path, postback(event=event).replace("android", platform))


@pytest.mark.parametrize("platform", ["ios", "android", "windows"])
@pytest.mark.parametrize("event", WEB_INVALID)
def test_a_mobile_app_may_use_what_the_web_has_not(tmp_path: Path, event: str, platform: str) -> None:
    load(tmp_path, postback(event=event).replace("android", platform))


@pytest.mark.parametrize(
    ("event", "meant"),
    [("purchase", "payment"), ("first_login_ca", "first_authorization_ca"), ("session_begin", "app_open")],
)
def test_an_alias_of_an_incoming_name_is_refused_with_what_is_meant(tmp_path: Path, event: str, meant: str) -> None:
    for key in ("event", "match_event"):
        (line,) = told(tmp_path, postback(**{key: event}))
        assert f"postbacks[0].{key} '{event}' is not a derived event; did you mean {meant}?" in line


def test_session_ca_is_refused_with_whose_sessions_are(tmp_path: Path) -> None:
    (line,) = told(tmp_path, postback(event="session_ca"))
    assert "'session_ca' is not a derived event; session is each partner's own" in line
    assert line.endswith("also when another partner has brought the user back since; write session")


@pytest.mark.parametrize("event", ["first_payment", "first_custom_payment"])
def test_a_first_payment_may_be_the_devices_or_the_users(tmp_path: Path, event: str) -> None:
    for given in ({"event": event}, {"match_event": event}):
        assert load(tmp_path, postback(**given)).postbacks[0].scope == "device"
        for scope in ("device", "user"):
            assert load(tmp_path, postback(**given, scope=scope)).postbacks[0].scope == scope


@pytest.mark.parametrize("event", ["new_user", "re_engagement_user"])
def test_an_event_of_the_user_is_of_user_scope_without_saying_so(tmp_path: Path, event: str) -> None:
    for given in ({"event": event}, {"match_event": event}):
        for more in ({}, {"scope": "user"}):
            assert load(tmp_path, postback(**given, **more)).postbacks[0].scope == "user"
        (line,) = told(tmp_path, postback(**given, scope="device"))
        assert f"postbacks[0].scope device is not possible for {event}; {event} is of the user always" in line


@pytest.mark.parametrize(
    "event", ["payment", "first_payment_ca", "first_registration", "first_event:x", "install", "session"]
)
def test_scope_user_is_for_nothing_else(tmp_path: Path, event: str) -> None:
    for given in ({"event": event}, {"event": "first_payment", "match_event": event}):
        (line,) = told(tmp_path, postback(**given, scope="user"))
        assert f"postbacks[0].scope user is not possible for {event}; " in line
        assert line.endswith("it is for first_payment and first_custom_payment only")


def test_required_fields_are_asked_for_when_there_is_a_postback(tmp_path: Path) -> None:
    text = postback().replace("{id: acme}", "{id: acme, required_fields: [app_key], fields: {app_kee: x}}")
    (line,) = told(tmp_path, text)
    assert "partners[0].required_fields[0] postbacks of acme need the field app_key" in line
    assert line.endswith("did you mean app_kee?")
    load(tmp_path, APP + "partners:\n- {id: acme, required_fields: [app_key]}\n")
    load(tmp_path, text.replace("app_kee", "app_key"))


SIGNS = "partners:\n- {id: acme, signing_secrets: ['${env:A}', '${file:/run/b}']"


def test_secrets_to_sign_with_are_one_or_two_references(tmp_path: Path) -> None:
    assert load(tmp_path, f"{SIGNS}}}\n").partners[0].signing_secrets == ("${env:A}", "${file:/run/b}")
    (line,) = told(tmp_path, "partners:\n- {id: acme, signing_secrets: [whsec_czNjcjN0]}\n")
    assert line.endswith("expected a reference to a secret; write ${env:NAME} or ${file:PATH}, not the secret")
    assert "czNjcjN0" not in line
    (line,) = told(tmp_path, "partners:\n- {id: a, signing_secrets: ['${env:A}', '${env:B}', '${env:C}']}\n")
    assert line.endswith("signing_secrets has too many entries, expected at most two")
    (line,) = told(tmp_path, "partners:\n- {id: a, signing_secret: ['${env:A}']}\n")
    assert "did you mean signing_secrets" in line


def test_the_headers_of_a_signature_are_the_senders(tmp_path: Path) -> None:
    plain = postback(headers="{Webhook-ID: x}")
    load(tmp_path, plain)
    template = ", templates: {install: {url: 'https://a.example/', headers: {webhook-signature: x}}}"
    lines = told(tmp_path, plain.replace("partners:\n- {id: acme", SIGNS + template))
    said = "is set by the sender: the partner has signing_secrets; remove it here"
    assert [line.partition(" ")[2] for line in lines] == [
        f"partners[0].templates.install.headers.webhook-signature the header webhook-signature {said}",
        f"postbacks[0].headers.Webhook-ID the header Webhook-ID {said}",
    ]


def test_a_postback_has_a_url_or_a_template_for_its_event(tmp_path: Path) -> None:
    own = {"url": "null", "match_event": "payment"}
    (line,) = told(tmp_path, postback(**own))
    assert "postbacks[0].url is missing, and acme has no template for install" in line
    template = "{id: acme, templates: {install: {url: 'https://t.example/'}}}"
    found = load(tmp_path, postback(**own).replace("{id: acme}", template))
    assert found.postbacks[0].endpoint.url == "https://t.example/"


def test_a_template_is_taken_whole(tmp_path: Path) -> None:
    template = "{id: acme, templates: {install: {url: 'https://t.example/'}}}"
    own = postback(url="null", method="POST", headers="{}", body="null").replace("{id: acme}", template)
    (line,) = told(tmp_path, own)
    assert "postbacks[0].method stands without a url" in line


def test_a_mistake_in_a_template_is_told_at_its_very_character(tmp_path: Path) -> None:
    text = postback(url="https://acme.example/?a={click_id}&b={clik_id}", headers='{X-Key: "a {os_id|lowr}"}')
    text = text.replace("headers:", 'body:\n    deep: ["{nope}"]\n  method: POST\n  headers:')
    lines = told(tmp_path, text)
    content = text.splitlines()
    for line, wrong in zip(lines, ["clik_id", "nope", "lowr"], strict=True):
        row, column = (int(number) for number in line.split(" ")[0].split(":"))
        assert wrong in content[row - 1][column - 1 :][:10], line
    assert "postbacks[0].body.deep[0] " in lines[1]
    assert "did you mean 'click_id'?" in lines[0]


def test_a_mistake_in_a_folded_text_is_told_at_its_beginning(tmp_path: Path) -> None:
    (line,) = told(tmp_path, postback(method="POST", body="|\n    first\n    {nope}"))
    assert line.startswith("12:9 postbacks[0].body ")


def test_a_partners_template_is_checked_though_no_postback_takes_it(tmp_path: Path) -> None:
    text = "partners:\n- {id: acme, templates: {payment: {url: 'https://t.example/?{nope}'}}}\n"
    (line,) = told(tmp_path, text)
    assert line.startswith("2:62 partners[0].templates.payment.url unknown macro 'nope'")


def test_a_template_that_is_wrong_hides_no_mistake_in_another(tmp_path: Path) -> None:
    templates = "{purchase: {url: x}, install: {url: 5}, payment: {url: 'https://t.example/?{nope}'}}"
    text = postback(url="null").replace("{id: acme}", f"{{id: acme, templates: {templates}}}")
    assert [line.split(" ")[1] for line in told(tmp_path, text)] == [
        "partners[0].templates.purchase",
        "partners[0].templates.install.url",
        "partners[0].templates.payment.url",
    ]


def test_a_partners_fields_are_known_to_templates(tmp_path: Path) -> None:
    text = postback(url="https://a.example/?k={partner.key}")
    (line,) = told(tmp_path, text)
    assert "partner.key" in line
    load(tmp_path, text.replace("{id: acme}", "{id: acme, fields: {key: x}}"))


def test_an_unknown_partner_makes_no_mistake_of_its_fields(tmp_path: Path) -> None:
    (line,) = told(tmp_path, postback(url="https://a.example/?k={partner.key}", partner="acne"))
    assert "there is no partner acne; did you mean acme?" in line


def test_a_mapping_names_fields_of_the_contract(tmp_path: Path) -> None:
    text = "sources:\n- {topic: a, record: install, mapping: {install_timestmp: at, os_id: id}}\n"
    (line,) = told(tmp_path, text)
    assert "sources[0].mapping.install_timestmp install_timestmp is no field of an install" in line
    assert line.endswith("did you mean install_timestamp?")


def test_a_source_may_not_be_a_reserved_topic(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(PARTNER + "sources:\n- {topic: ringback.users, record: event}\n")
    with pytest.raises(ConfigurationErrors, match=r"ringback\.users is a topic of Ringback's own"):
        load_directory(tmp_path, {"ringback.users"})


def test_an_item_too_large_for_a_record_is_told(tmp_path: Path) -> None:
    fields = ", ".join(f"k{n}: {'x' * 4000}" for n in range(300))
    (line,) = told(tmp_path, f"partners:\n- {{id: acme, fields: {{{fields}}}}}\n")
    assert "partners[0] is too large" in line


def test_a_mistake_is_one_line_also_when_a_key_is_two(tmp_path: Path) -> None:
    lines = told(tmp_path, postback(headers='{"X\\r\\nY": a}'))
    assert len(lines) == 1
    assert "postbacks[0].headers.X\\r\\nY holds a character" in lines[0]


def test_a_job_that_would_expire_before_it_is_due_is_refused(tmp_path: Path) -> None:
    text = postback(delivery_delay="5m").replace("{id: acme}", "{id: acme, max_age: 5m}")
    (line,) = told(tmp_path, text)
    assert "delivery_delay 5m is not shorter than the max_age of acme, 5m: every job would expire" in line
    load(tmp_path, text.replace("max_age: 5m", "max_age: 301s"))


@pytest.mark.parametrize(
    ("more", "longest"),
    [
        ("inactivity_window: 100d", "the app's inactivity_window, 100d"),
        ("dedup_window: 90d", "the app's dedup_window, 90d"),
        ("claim_window: 91d", "the app's claim_window, 91d"),
        ("", "the click_lookback of acme, 120d"),
    ],
)
def test_nothing_is_forgotten_while_a_window_is_still_open(tmp_path: Path, more: str, longest: str) -> None:
    lookback = "1d" if more else "120d"
    partners = f"partners:\n- {{id: acme, click_lookback: {lookback}}}\n"
    text = f"apps:\n- {{id: game, platform: ios, forget_after: 90d{more and ', ' + more}}}\n{partners}"
    (line,) = told(tmp_path, text)
    assert f" apps[0].forget_after 90d is not longer than {longest}; devices would be forgotten" in line
    load(tmp_path, text.replace("forget_after: 90d", "forget_after: 121d"))


def test_the_lookback_of_unknown_publishers_counts_too(tmp_path: Path) -> None:
    text = "apps:\n- {id: game, platform: ios, forget_after: 7d, inactivity_window: 1d}\n"
    (line,) = told(tmp_path, text)
    assert "forget_after 7d is not longer than the click_lookback of unknown publishers, 7d" in line
    assert load(tmp_path, text.replace("7d", "8d")).apps[0].forget_after == 8 * 86_400_000


def test_by_default_nothing_is_forgotten(tmp_path: Path) -> None:
    assert load(tmp_path, "apps:\n- {id: game, platform: ios}\n").apps[0].forget_after is None
