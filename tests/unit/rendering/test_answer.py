"""What a record makes of a postback: the job, or each reason why there is none."""

from __future__ import annotations

import msgspec

from schemas import dead_letter, decision
from schemas.config import Endpoint, Parameter
from schemas.job import Job
from streams.postbacks.jobs import job_id
from streams.rendering.answer import OTHERS, No, Yes
from tests.unit.rendering.building import ACME, GAME, answer, event, explained, install, postback, reason, url

DAY = 86_400_000
LIVE = msgspec.structs.replace(GAME, live_from=1_800_000_000_000)
CONSENT = msgspec.structs.replace(ACME, consent="required")


def test_the_job_is_the_one_that_the_worker_would_decide() -> None:
    found = answer(postback(delivery_delay=5_000), install())
    assert isinstance(found, Job)
    at = 1_767_312_000_000
    assert found.job_id == job_id("p", "install", "game", "game|ann", "install", "i", at)
    assert (found.generation, found.due_at - found.decided_at, found.day) == (3, 5_000, at // DAY)
    assert found.request.url == ("https://acme.example/?c=clk",)


def test_an_event_goes_by_the_attribution_of_the_install_before_it() -> None:
    assert url(postback("first_payment"), install(), event()) == "https://acme.example/?c=clk"


def test_records_before_it_are_the_devices_history() -> None:
    assert reason(postback("first_payment"), install(), event(day=3), event(day=4)) == "not_first"
    assert url(postback("payment"), install(), event(day=3), event(day=4)).endswith("c=clk")


def test_what_was_held_has_been_released_before_a_record_that_comes_later() -> None:
    """An install that comes a day after an event claims; one that comes at once goes first."""
    held = event(day=1, publisher_name="acme", event_timestamp="2026-01-01T00:00:00Z")
    wanted = postback(
        "first_payment", url="https://acme.example/?n={attribution_number}&o={is_organic}", delivery_method="all"
    )
    assert url(wanted, held) == "https://acme.example/?n=1&o=true"
    assert url(postback("install"), held, install()).endswith("c=clk")
    assert reason(postback("re_install"), held, install()) == "other_event"


def test_a_postback_of_the_user_is_decided_by_the_user() -> None:
    by_user = postback(
        "first_payment", scope="user", url="https://acme.example/?u={user_id}&d={device_id}&c={click_id}"
    )
    first = event(user_id="u", day=3)
    bobs = [install(id="j", os_id="bob", click_id="bobs"), event(day=4, os_id="bob", user_id="u")]
    assert url(by_user, install(), first) == "https://acme.example/?u=u&d=ann&c=clk"
    assert reason(by_user, install(), first, *bobs) == "not_first"
    assert url(postback("first_payment"), install(), first, *bobs).endswith("c=bobs")


def test_touch_macros_of_the_user_are_the_devices_and_the_device_is_the_records() -> None:
    """The device of a new user is the one that it is new on: its first attribution, and its current one."""
    text = "https://acme.example/?d={device_id}&c={click_id}&n={attribution_number}&r={is_reattribution}"
    records = [
        install(),
        install(id="j", os_id="bob", click_id="bobs"),
        event("login", day=3, os_id="bob", user_id="u"),
        install(id="k", os_id="bob", click_id="again", install_timestamp="2026-03-20T00:00:00Z"),
        event("launch", id="l", os_id="bob", user_id="u", event_timestamp="2026-03-21T00:00:00Z"),
    ]
    assert url(postback("new_user", url=text), *records[:3]) == "https://acme.example/?d=bob&c=bobs&n=1&r=false"
    assert url(postback("re_engagement_user", url=text), *records) == "https://acme.example/?d=bob&c=again&n=2&r=true"


def test_a_record_that_is_none_is_told_with_the_reason_of_its_dead_letter() -> None:
    assert reason(postback(), {"app_id": "game", "os_id": 5}) == "invalid"
    assert reason(postback(), {"app_id": "game"}) == "no_identifier"
    assert reason(postback(), install(install_timestamp="1999-01-01T00:00:00Z")) == "time"
    assert reason(postback(), install(app_id="nobodys")) == "unknown_app"
    assert {"invalid", "no_identifier", "time"} <= dead_letter.REASONS.keys()


def test_a_record_that_changes_nothing_is_told_with_its_result() -> None:
    assert reason(postback("payment"), install(), event(), event()) == "duplicate"
    assert reason(postback("payment"), install(), event(day=20), event(day=2)) == "too_late"
    assert reason(postback("first_payment"), install(), install(id="j")) == "reinstall"


def test_every_no_of_a_candidate_is_told() -> None:
    skipping = Endpoint(
        url="https://a.example/", parameters=(Parameter(name="a", value="{s_ad}", when_missing="skip_postback"),)
    )
    organic = install(publisher_name=None)
    twice = (install(), event(day=3), event(id="second", day=4))
    of_day = (install(), event("launch", day=4), event("launch", id="second", day=4))
    found = {
        reason(postback(), organic),
        reason(postback(campaign="spring"), install()),
        reason(postback(status="paused"), install()),
        reason(postback(), install(), partners=(CONSENT,)),
        reason(postback(), install(), apps=(LIVE,)),
        reason(postback(endpoint=skipping), install()),
        reason(postback(delivery_method="all"), organic, install(id="claim", click_timestamp="2026-01-01T23:00:00Z")),
        reason(postback(url="https://a.example/{click_id}/x"), install(click_id="..")),
        reason(postback(), install(), limit=100),
        reason(postback("first_payment"), *twice),
        reason(postback("first_payment_ca"), *twice),
        reason(postback("re_engagement"), install(), event()),
        reason(postback("session"), *of_day),
        reason(postback("re_engagement"), install(), event(day=5), event("launch", day=4)),
    }
    assert found == decision.NOES.keys()


def test_what_is_no_candidate_is_told_with_what_there_is() -> None:
    assert reason(postback(app="other"), install()) == "other_app"
    found = answer(postback("payment"), install())
    assert isinstance(found, No)
    assert (found.reason, found.meaning) == ("other_event", OTHERS["other_event"])
    assert found.detail == "install, not payment"
    of_user = answer(postback("new_user"), install())
    assert isinstance(of_user, No)
    assert "carries no user_id" in of_user.detail


def test_whose_event_it_is_is_told_beside_other_source() -> None:
    found = answer(postback(), install(publisher_name="globex", campaign_id="7"))
    assert isinstance(found, No)
    assert (found.reason, found.detail) == ("other_source", "install goes by attribution 1, globex, 7")


BACK = event("launch", id="back", event_timestamp="2026-03-02T00:00:00Z", publisher_name="globex")
LATER = event("launch", id="later", event_timestamp="2026-03-04T00:00:00Z")


def test_a_session_goes_by_the_latest_attribution_to_the_partner_whoever_brought_the_user_back_since() -> None:
    found = explained(postback("session", url="https://a.example/?n={attribution_number}"), install(), BACK, LATER)
    assert isinstance(found, Yes)
    assert found.job.request.url == ("https://a.example/?n=1",)
    said = "session goes by attribution 1, acme, the latest to acme"
    assert found.source == f"{said}; the current one is attribution 2, globex"
    paused = explained(postback("session", status="paused"), install(), event("launch", day=4))
    assert isinstance(paused, No)
    assert (paused.reason, paused.detail) == ("paused", said)


def test_a_session_of_everybody_goes_by_the_current_attribution() -> None:
    found = explained(postback("session", delivery_method="all"), install(), BACK, LATER)
    assert isinstance(found, Yes)
    assert found.source == "session goes by attribution 2, globex"


def test_a_session_of_a_partner_that_brought_nobody_says_so() -> None:
    found = explained(postback("session"), install(publisher_name="globex"), LATER)
    assert isinstance(found, No)
    assert (found.reason, found.detail) == (
        "other_source",
        "session goes by the latest attribution to acme: there is none",
    )


def test_what_is_the_devices_and_the_users_is_told_apart() -> None:
    found = answer(postback("registration"), install(), event(user_id="u"))
    assert isinstance(found, No)
    first = "payment, payment_ca, first_payment (device), first_payment_ca"
    assert found.detail == f"{first}, new_user, first_payment (user), not registration"
