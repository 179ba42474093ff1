"""The example fires every postback, the aim is where it was put, and the verdict is the sender's."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.config import HOUR, App, Configuration, Endpoint, Partner, Postback
from schemas.record import IDENTIFIERS, TOUCH_FIELDS, Event
from streams.attribution import events
from streams.attribution.entry import Rejection
from streams.delivery.outcome import Outcome
from streams.postbacks.index import Index
from streams.rendering import answer
from streams.rendering.answer import Yes
from streams.rendering.history import History
from streams.trial import aim, example
from streams.trial.verdict import ANSWERS, REMEDIES, phases, verdict
from tests.support.sending import job_for, partner_named

NOW = 1_780_000_000_000
ACME = Partner(id="acme", name="Acme")
DEVICE_KEYS = {
    "android": ("google_aid", "os_id", "user_id"),
    "ios": ("ios_ifv", "ios_ifa", "os_id", "user_id"),
    "windows": ("windows_aid", "os_id", "user_id"),
    "web": ("visitor_id", "user_id"),
}


def configuration(platform: Any = "android", partner: Partner = ACME, **more: Any) -> Configuration:
    own: dict[str, Any] = {"id": "p", "title": "", "app": "game", "partner": partner.id, "event": "install"}
    own["endpoint"] = Endpoint(url="https://acme.example/a/{click_id}?job={job_id}")
    app = App(
        id="game",
        project="g",
        platform=platform,
        bundle_id="g",
        device_key=DEVICE_KEYS[platform],
        live_from=NOW + HOUR,
    )
    return Configuration(
        generation=1, sources=(), apps=(app,), partners=(partner,), postbacks=(Postback(**own | more),)
    )


def tried(given: Configuration, url: str | None = None) -> Any:
    """What becomes of the example."""
    aimed = aim.aimed(given, given.postbacks[0], url)
    index = Index(aimed, aim.ids("token"))
    (wanted,), (app,), (partner,) = aimed.postbacks, aimed.apps, aimed.partners
    history, entry = History(index, 1_000), None
    for number, record in enumerate(example.records(wanted, app, partner, NOW, ["params.level", "click_id"]), 1):
        entry = history.take(record, number, NOW)
        assert not isinstance(entry, Rejection), entry
    assert entry is not None
    return answer.answer(index, wanted, history.last(entry), NOW, 100_000)


@pytest.mark.parametrize("method", ["all", "network", "network_and_agency"])
@pytest.mark.parametrize(
    ("row", "platform"), [(row, platform) for row in events.TABLE for platform in sorted(row.platforms)]
)
def test_the_example_fires_a_postback_on_every_derived_event(row: events.Row, platform: str, method: Any) -> None:
    name = row.name.replace(events.NAME, "level_up")
    found = tried(configuration(platform, event=name, scope=row.scopes[-1], delivery_method=method))
    assert isinstance(found, Yes), found
    assert found.job.event == name


def test_the_example_fires_what_has_conditions() -> None:
    strict = partner_named("acme", consent="required", click_lookback=1_000)
    found = tried(configuration(partner=strict, campaign="summer", status="paused"))
    assert isinstance(found, Yes), found
    assert found.job.campaign_id == "summer"


def test_the_example_has_a_value_for_every_field() -> None:
    given = configuration(event="payment")
    install, payment = example.records(given.postbacks[0], given.apps[0], ACME, NOW, ["params.level"])
    assert [name for name in TOUCH_FIELDS if getattr(install, name) is None] == [
        "agency_name", "s_publisher_name", "s_publisher", "s_campaign_name", "s_campaign",
    ]  # fmt: skip
    assert isinstance(payment, Event)
    assert (payment.revenue, payment.params) == (9.99, {"level": "test"})
    assert set(example.IDENTIFIERS) == set(IDENTIFIERS)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (None, "https://acme.example/a/test-click?job=test-token"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/a/test-click?job=test-token"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/a/test-click?job=test-token"),
        ("http://127.0.0.1/other?c={campaign_id}", "http://127.0.0.1/other?c=test-campaign"),
    ],
)
def test_it_goes_to_the_url_that_is_given_with_the_id_of_a_test(url: str | None, sent: str) -> None:
    found = tried(configuration(), url)
    assert found.job.job_id == "test-token"
    assert "".join(found.job.request.url) == sent


@pytest.mark.parametrize(
    ("outcome", "delivered", "told"),
    [
        (Outcome("answer", 204), True, "delivered"),
        (Outcome("answer", 500), False, "failed; it would be sent again in 15s to 30s, with 3 more attempts at most"),
        (Outcome("answer", 400), False, "failed for good (no_retry_status): the job would become a dead letter"),
        (Outcome("failure", None, "timeout"), False, "failed; it would be sent again in 15s to 30s, with 3 more"),
        (
            Outcome("blocked", None, "blocked: 10.0.0.1"),
            False,
            "suppressed (blocked: 10.0.0.1): it would never be sent",
        ),
        (Outcome("ours", None, "resolver: temporary failure"), False, "the fault is on this side: it would be tried"),
        (Outcome("unsendable", None, "request: ValueError"), False, "failed for good (unsendable)"),
        (Outcome("answer", 410), False, "; the partner acme would be paused until `ringback resume acme`"),
        (Outcome("answer", 429, None, "90"), False, "in 90s, with 3 more attempts at most; it asks to be left alone"),
    ],
)
def test_the_verdict_is_what_the_sender_would_do(outcome: Outcome, delivered: bool, told: str) -> None:
    found = verdict(job_for("http://x/", now=NOW), outcome, partner_named(no_retry_statuses=((400, 400),)), NOW)
    assert found.delivered is delivered
    assert told in found.told
    assert bool(found.remedy) is not delivered


def test_every_status_and_code_has_a_remedy() -> None:
    for status in range(300, 600):
        assert verdict(job_for("", now=NOW), Outcome("answer", status), ACME, NOW).remedy in ANSWERS.values()
    assert verdict(job_for("", now=NOW), Outcome("failure", None, "tls: bad"), ACME, NOW).remedy == REMEDIES["tls"]


def test_only_what_was_measured_is_told() -> None:
    assert list(phases(Outcome("answer", 200, duration_ms=12.5))) == [("in all", 12.5)]
