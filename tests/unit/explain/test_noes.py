"""`explain` answers "why was this not sent?" for each reason there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.config import Endpoint, Parameter, Partner
from schemas.decision import NOES, Decision, Verdict
from streams.explain.clues import CLUES
from streams.explain.sentences import NOES as SENTENCES
from tests.unit.explain.building import DAY, DEVICE, HOUR, START, World, postback

#: What is asked, and what the answer must say: (world, record, derived event, words).
Case = tuple[World, str, str, str]


def other_source() -> Case:
    world = World(postback("payment_ca", partner="globex"), partners=[Partner(id="globex", name="G", aliases=("gx",))])
    world.install("i", 0, publisher_name="acme")
    world.event("e", DAY)
    return (
        world, "e", "payment_ca",
        "`payment_ca` goes by attribution 1, acme; this postback is for globex or gx as publisher",
    )  # fmt: skip


def other_source_of_an_organic_device() -> Case:
    world = World(postback(delivery_method="network_and_agency"))
    world.event("e", 0)
    words = (
        "goes by attribution 1, organic, assumed: no install has been seen; this postback is for acme as publisher or"
    )
    return world, "e", "payment", words


def other_source_of_a_session() -> Case:
    world = World(postback("session"))
    world.install("i", 0, publisher_name="globex")
    world.event("e", 2 * DAY, "launch")
    return world, "e", "session", "no attribution that had begun by then is that of acme as publisher"


def other_campaign() -> Case:
    world = World(postback(campaign="spring"))
    world.install("i", 0, publisher_name="acme", campaign_id="7", campaign_name="summer")
    world.event("e", DAY)
    words = "attribution 1, acme, of the campaign 7 summer; this postback is for the campaign spring only"
    return world, "e", "payment", words


def paused() -> Case:
    world = World(postback(status="paused", delivery_method="all"))
    world.event("e", 0)
    return world, "e", "payment", "the postback is paused: `status: paused` in generation 7"


def no_consent() -> Case:
    world = World(postback(delivery_method="all"), partners=[Partner(id="acme", name="Acme", consent="required")])
    world.event("e", 0, consent=False)
    return world, "e", "payment", "acme requires consent, and the record says `consent: false`"


def before_live() -> Case:
    world = World(postback(delivery_method="all"), live_from=START + DAY)
    world.event("e", HOUR)
    words = "own time 2026-01-01T01:00:00Z lies before the app's `live_from`, 2026-01-02T00:00:00Z"
    return world, "e", "payment", words


def missing_required() -> Case:
    world = World(postback(delivery_method="all", endpoint=Endpoint(url="https://a.example/?c={click_id|required}")))
    world.event("e", 0)
    return world, "e", "payment", "a value that the request needs is missing: url: {click_id} has no value"


def claimed_before() -> Case:
    world = World(postback("install", delivery_method="all"))
    world.install("i", 0)
    world.install("claim", HOUR, publisher_name="acme")
    words = "has had its job for this install before it was claimed, for record i at 2026-01-01T00:00:00Z; the claim"
    return world, "claim", "install", words


def unrenderable() -> Case:
    endpoint = Endpoint(url="https://a.example/{params.a}/x")
    world = World(postback(delivery_method="all", endpoint=endpoint))
    world.event("e", 0, a="..")
    return world, "e", "payment", "a value cannot stand where the template puts it: url: "


def too_large() -> Case:
    endpoint = Endpoint(url="https://a.example/", parameters=(Parameter(name="a", value="{params.a}"),))
    world = World(postback(delivery_method="all", endpoint=endpoint))
    world.limits = world.limits._replace(job_bytes=2_000)
    world.event("e", 0, a="x" * 3_000)
    return world, "e", "payment", "larger than the limit: 3,"


def not_first() -> Case:
    world = World(postback("first_payment", delivery_method="all"))
    world.event("e-1", 0)
    world.event("e-2", DAY)
    words = "not the first `payment` of the device: that was record e-1 at 2026-01-01T00:00:00Z"
    return world, "e-2", "first_payment", words


def not_the_first_install() -> Case:
    world = World(postback("install", delivery_method="all"))
    world.install("i-1", 0, publisher_name="acme")
    world.install("i-2", DAY)
    words = "not the first appearance of the device: it was installed at 2026-01-01T00:00:00Z, by record i-1"
    return world, "i-2", "install", words


def not_a_new_user() -> Case:
    world = World(postback("new_user", delivery_method="all"))
    world.event("e-1", 0, user_id="u1")
    world.event("e-2", DAY, user_id="u1")
    world.users()
    words = "the user shop|u1 was first seen at 2026-01-01T00:00:00Z on device game|abc, by record e-1"
    return world, "e-2", "new_user", words


def not_the_first_of_the_user() -> Case:
    world = World(postback("first_payment", delivery_method="all", scope="user"))
    world.event("e-1", 0, user_id="u1")
    world.event("e-2", DAY, user_id="u1")
    world.users()
    return world, "e-2", "first_payment", "of the user: that was record e-1 of device game|abc at 2026-01-01T00:00:00Z"


def not_first_since() -> Case:
    world = World(postback("first_event_ca:coins", delivery_method="all"))
    world.install("i", 0)
    world.event("e-1", DAY, "coins")
    world.event("e-2", 2 * DAY, "coins")
    words = "not the first `coins` since attribution 1 (organic) began at 2026-01-01T00:00:00Z: that was record e-1 at"
    return world, "e-2", "first_event_ca:coins", words


def inside_window() -> Case:
    world = World(postback("re_engagement", delivery_method="all"))
    world.install("i", 0)
    world.event("e", 12 * DAY)
    words = "start was at 2026-01-01T00:00:00Z, 12 d before; that is not more than the inactivity window of 30 d"
    return world, "e", "re_engagement", words


def no_re_install() -> Case:
    world = World(postback("re_install", delivery_method="all"))
    world.install("i-1", 0)
    world.event("e", DAY, "launch")
    world.install("i-2", 12 * DAY + HOUR)
    words = "2026-01-02T00:00:00Z, 11 d 1 h before; a re-install comes after at least the inactivity window of 30 d"
    return world, "i-2", "re_install", words


def no_re_engagement_of_the_user() -> Case:
    world = World(postback("re_engagement_user", delivery_method="all"))
    world.event("e-1", 0, user_id="u1")
    world.event("e-2", DAY, user_id="u1")
    world.users()
    words = (
        "the user's last activity, or first record, was 1 d before, record e-1 of device game|abc at "
        "2026-01-01T00:00:00Z; that is not more than the inactivity window of 30 d"
    )
    return world, "e-2", "re_engagement_user", words


def same_period() -> Case:
    world = World(postback("session", delivery_method="all"))
    world.install("i", 0)
    world.event("e-1", DAY + HOUR, "launch")
    world.event("e-2", DAY + 2 * HOUR, "launch")
    words = (
        "counted from attribution 1 (2026-01-01T00:00:00Z) it lies in the 24 hours from 2026-01-02T00:00:00Z, which "
        "have had their session by record e-1 at 2026-01-02T01:00:00Z"
    )
    return world, "e-2", "session", words


def the_first_period() -> Case:
    world = World(postback("session"))
    world.install("i", 0, publisher_name="acme")
    world.event("e", HOUR, "launch")
    return world, "e", "session", "the 24 hours from 2026-01-01T00:00:00Z, the first ones, which have no session"


def late() -> Case:
    world = World(postback("re_engagement", delivery_method="all"))
    world.install("i", 0)
    world.event("e-1", 2 * DAY)
    world.event("e-2", DAY, appended=3 * DAY)
    words = "own time 2026-01-02T00:00:00Z lies 1 d before 2026-01-03T00:00:00Z, the newest of its device by then"
    return world, "e-2", "re_engagement", words


def a_session_before_all() -> Case:
    world = World(postback("session"))
    world.install("i", 2 * DAY, publisher_name="acme")
    world.event("e", DAY, "launch", appended=3 * DAY)
    return world, "e", "session", "own time 2026-01-02T00:00:00Z lies before all attributions of the device"


def late_for_the_user() -> Case:
    world = World(postback("re_engagement_user", delivery_method="all"))
    world.install("i", 0, user_id="u1")
    world.event("e-1", 2 * DAY, "launch", user_id="u1")
    world.event("e-2", DAY, "launch", appended=3 * DAY, user_id="u1")
    world.users()
    words = "is late for its user: a newer one, of 2026-01-03T00:00:00Z, 1 d later, had been processed before it"
    return world, "e-2", "re_engagement_user", words


#: Reason → what gives it. Those with an own sentence for one event stand under both.
CASES: dict[str, Callable[[], Case]] = {
    "other_source": other_source,
    "other_source/organic": other_source_of_an_organic_device,
    "other_source/session": other_source_of_a_session,
    "other_campaign": other_campaign,
    "paused": paused,
    "no_consent": no_consent,
    "before_live": before_live,
    "missing_required": missing_required,
    "claimed_before": claimed_before,
    "unrenderable": unrenderable,
    "too_large": too_large,
    "not_first": not_first,
    "not_first/install": not_the_first_install,
    "not_first/new_user": not_a_new_user,
    "not_first/user": not_the_first_of_the_user,
    "not_first_since": not_first_since,
    "inside_window": inside_window,
    "inside_window/re_install": no_re_install,
    "inside_window/re_engagement_user": no_re_engagement_of_the_user,
    "same_period": same_period,
    "same_period/first": the_first_period,
    "late": late,
    "late/session": a_session_before_all,
    "late/re_engagement_user": late_for_the_user,
}


@pytest.mark.parametrize("case", CASES)
def test_each_reason_is_told_with_what_was_compared(case: str) -> None:
    world, record_id, event, words = CASES[case]()
    answer = world.answer(record_id, event=event)
    assert (answer.reason, answer.job) == (case.partition("/")[0], None)
    assert words in answer.text
    assert "{" not in answer.text.replace("{click_id}", "")


def test_every_reason_has_its_sentence_and_its_case() -> None:
    assert {key.partition("/")[0] for key in SENTENCES} == NOES.keys() == {key.partition("/")[0] for key in CASES}
    assert SENTENCES.keys() - CASES.keys() == set()


@pytest.mark.parametrize("reason", NOES)
def test_a_reason_that_was_recorded_counts_before_what_the_rules_come_to_now(reason: str) -> None:
    world = World(postback(delivery_method="all"))
    world.install("i", 0, publisher_name="acme")
    world.event("e", DAY)
    told = Verdict(postback_id="p", event="payment", reason=reason, detail="as it was written")
    world.recorded.decisions.append(
        Decision(
            record_id="e", app_id="game", device_key=DEVICE, kind="event", event_name="payment", at=START + DAY,
            appended=START + DAY, decided_at=START + DAY, generation=7, result="processed", verdicts=[told],
        )
    )  # fmt: skip
    answer = world.answer("e")
    assert (answer.reason, answer.job) == (reason, None)
    assert answer.text
    assert answer.note == ("by the rules and topics as they are now there would be a job; what was decided then counts")


def test_clues_are_asked_for_by_sentences_only() -> None:
    from streams.explain import sentences

    tables = (sentences.NOES, sentences.RESULTS, sentences.RELEASES, sentences.SILENT, sentences.DIFFERENCES)
    asked = "".join(text for table in tables for text in table.values())
    assert [name for name in CLUES if f"{{{name}}}" not in asked] == []
