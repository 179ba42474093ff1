"""What a job carries, and what the decisions topic tells (contract §2, §6, §7)."""

from typing import Any

import msgspec
import pytest

from schemas.config import App, Endpoint, Parameter, Partner
from schemas.decision import NOES, Decision
from schemas.job import Job
from streams.attribution.fold import Fact
from streams.postbacks.decide import decide
from streams.postbacks.index import Index
from streams.postbacks.jobs import job_id
from tests.unit.postbacks.building import (
    ACME,
    APP,
    AT,
    INITECH,
    NOW,
    configuration,
    decided,
    entry,
    fact,
    jobs_of,
    postback,
    touch,
)


def only_job(what: Fact, **more: Any) -> Job:
    (job,) = jobs_of(Index(configuration(postback(**more))), what)
    return job


def refusal(what: Fact, *, app: App = APP, partner: Partner = ACME, **more: Any) -> str | None:
    index = Index(configuration(postback(**more), app=app, partners=(partner, INITECH)))
    found = decided(index, what, "all")
    assert found.jobs == []
    assert found.decision is not None
    (verdict,) = found.decision.verdicts
    return verdict.reason


def test_a_job_has_the_identity_of_its_input() -> None:
    job = only_job(fact(touch()))
    assert job.job_id == job_id("p", "payment", APP.id, f"{APP.id}|aid-1", "event", "e-1", AT)


def test_the_moment_of_deciding_does_not_change_the_identity() -> None:
    index = Index(configuration(postback()))
    assert decided(index, fact()) == decided(index, fact())
    early, late = (decide(index, fact(touch()), now, "off", 10_000).jobs[0].job.job_id for now in (NOW, NOW + 10**6))
    assert early == late


def test_the_delivery_delay_counts_from_the_decision() -> None:
    job = only_job(fact(touch()), delivery_delay=60_000)
    assert (job.decided_at, job.due_at) == (NOW, NOW + 60_000)


def test_a_job_carries_what_it_was_decided_with() -> None:
    job = only_job(fact(touch()), retry_attempts=5)
    assert (job.generation, job.retry_attempts, job.max_age, job.attempts) == (7, 5, ACME.max_age, 0)


MACROS = {
    "{click_id}": "clk",
    "{campaign_name}": "spring",
    "{attribution_number}": "2",
    "{is_organic}": "false",
    "{is_reattribution}": "true",
    "{event_name}": "payment",
    "{event_id}": "e-1",
    "{postback_id}": "p",
    "{app_id}": "com.example.game",
    "{bundle_id}": "com.example.bundle",
    "{partner_id}": "acme_ads",
    "{device_id}": "aid-1",
    "{google_aid}": "aid-1",
    "{event_timestamp}": "2026-01-02T03%3A04%3A05Z",
    "{install_timestamp}": "2026-01-02T03%3A04%3A03Z",
    "{touch_type}": "click",
    "{click_timestamp}": "2026-01-02T03%3A03%3A05Z",
    "{platform}": "android",
    "{revenue}": "1.5",
    "{params.level}": "7",
    "{params.deep.er}": "x",
    "{params.a.b}": "dotted",
    "{params.nothing}": "",
}


@pytest.mark.parametrize("macro", MACROS)
def test_each_macro_finds_its_value(macro: str) -> None:
    by = touch(click_id="clk", campaign_name="spring", click_timestamp=(AT - 60_000) // 1000)
    params = {"level": 7, "deep": {"er": "x"}, "a.b": "dotted"}
    placed = msgspec.structs.replace(by, click_timestamp=AT - 60_000)
    job = only_job(fact(placed, number=2, revenue=1.5, params=params), url="https://x.example/?v=" + macro)
    assert job.request.url == ("https://x.example/?v=" + MACROS[macro],)


def test_network_data_is_withheld_as_if_missing() -> None:
    url = "https://x.example/?c={click_id|default:none}&n={attribution_number}&o={is_organic}&aid={google_aid}"
    job = only_job(fact(touch(click_id="clk")), url=url, supply_network_data=False)
    assert job.request.url == ("https://x.example/?c=none&n=&o=&aid=aid-1",)


LIVE = msgspec.structs.replace(APP, live_from=AT + 1)
CONSENTED = msgspec.structs.replace(ACME, consent="required")


def test_every_no_has_its_reason() -> None:
    reasons = {
        refusal(fact(touch()), app=LIVE),
        refusal(fact(touch()), status="paused"),
        refusal(fact(touch()), partner=CONSENTED),
        refusal(fact(touch()), campaign="spring"),
        refusal(fact(None)),
        refusal(fact(touch(), claim=True), delivery_method="all"),
        refusal(fact(touch()), url="https://x.example/?c={click_id|required}"),
    }
    # Those whose derived event did not fire are the matter of `test_unfired`.
    unfired = {"not_first", "not_first_since", "inside_window", "same_period", "late"}
    assert reasons == NOES.keys() - unfired - {"unrenderable", "too_large"}


def test_a_parameter_that_skips_the_postback_is_a_no() -> None:
    parameter = Parameter(name="c", value="{click_id}", when_missing="skip_postback")
    endpoint = Endpoint(url="https://x.example/", parameters=(parameter,))
    assert refusal(fact(touch()), endpoint=endpoint) == "missing_required"


def test_a_record_at_live_from_is_live() -> None:
    index = Index(configuration(postback(), app=LIVE))
    assert jobs_of(index, fact(touch(), at=AT + 1)) != []


def decision(what: Fact, level: Any, **more: Any) -> Decision | None:
    return decided(Index(configuration(postback(**more))), what, level).decision


def test_the_level_off_tells_nothing() -> None:
    assert decision(fact(touch()), "off", status="paused") is None


def test_the_level_nos_tells_noes_only() -> None:
    assert decision(fact(touch()), "nos") is None
    told = decision(fact(touch()), "nos", status="paused")
    assert told is not None
    assert [(verdict.postback_id, verdict.reason) for verdict in told.verdicts] == [("p", "paused")]


def test_the_level_nos_leaves_out_other_source_and_other_campaign() -> None:
    assert decision(fact(None), "nos") is None
    assert decision(fact(touch()), "nos", campaign="spring") is None


@pytest.mark.parametrize("result", ["duplicate", "too_late", "reinstall"])
def test_the_level_nos_tells_of_records_that_changed_nothing(result: Any) -> None:
    told = decision(Fact(entry(), result), "nos")
    assert told is not None
    assert told.result == result


def test_the_level_all_tells_jobs_too() -> None:
    told = decision(fact(touch()), "all")
    assert told is not None
    (verdict,) = told.verdicts
    assert verdict.job_id == only_job(fact(touch())).job_id
    assert [(note.event, note.attribution_number, note.publisher_name) for note in told.derived] == [
        ("payment", 1, "acme_ads")
    ]


@pytest.mark.parametrize("level", ["off", "nos", "all"])
def test_a_job_that_is_too_large_is_a_no_at_every_level(level: Any) -> None:
    found = decided(Index(configuration(postback())), fact(touch()), level, job_bytes=100)
    assert found.jobs == []
    assert [(no.verdict.postback_id, no.verdict.reason) for no in found.noes] == [("p", "too_large")]
    if level != "off":
        assert found.decision is not None
        assert found.decision.verdicts == [no.verdict for no in found.noes]


def test_a_job_is_ready_as_it_stands_in_the_delivery_topic() -> None:
    (ready,) = decided(Index(configuration(postback())), fact(touch())).jobs
    assert msgspec.json.decode(ready.value, type=Job) == ready.job
