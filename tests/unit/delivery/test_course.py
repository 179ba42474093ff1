"""What is to be done with a job now."""

from __future__ import annotations

from schemas.config import Partner
from schemas.control import Control
from streams.delivery.course import Course, End, Paused, Rules, Wait, course
from tests.support.sending import configuration, job_for, partner_named, postback_named

NOW = 1_760_000_000_000
RULES = Rules().with_configuration(configuration([partner_named()], [postback_named()]))


PURGED = End("suppressed", "purged")


def of(rules: Rules = RULES, **more: object) -> Course:
    return course(job_for("http://x.example/", 1, NOW, **more), rules, NOW)


def test_a_job_that_is_due_goes_to_its_partner() -> None:
    assert isinstance(of(), Partner)


def test_a_job_waits_until_it_is_due() -> None:
    assert of(due_at=NOW + 1) == Wait(NOW + 1)
    assert isinstance(of(due_at=NOW + 1, reserved=True), Partner), "what its lane reserved, its lane may give up"
    assert isinstance(of(due_at=NOW), Partner)


def test_shadow_ends_it_also_when_the_postback_became_one_later() -> None:
    assert of(shadow=True) == End("suppressed", "shadow")
    later = RULES.with_configuration(configuration([partner_named()], [postback_named(status="shadow")]))
    assert of(later) == End("suppressed", "shadow")


def test_a_removed_partner_ends_it() -> None:
    assert of(partner="gone") == End("suppressed", "partner_removed")


def test_max_age_counts_from_the_decision() -> None:
    assert of(decided_at=NOW - 1_000, max_age=999) == End("expired", "max_age")
    assert isinstance(of(decided_at=NOW - 1_000, max_age=1_000), Partner)


def test_the_age_of_a_replay_counts_from_the_replay() -> None:
    old = {"decided_at": NOW - 10_000_000, "max_age": 1_000, "replay": True}
    assert isinstance(of(**old, replayed_at=NOW - 1_000), Partner)
    assert of(**old, replayed_at=NOW - 1_001) == End("expired", "max_age")


def test_a_purge_ends_what_was_decided_or_replayed_before_it_due_or_not() -> None:
    purged = Control(purge_before=NOW)
    for rules in (
        RULES.with_control("purge-partner", "acme", purged),
        RULES.with_control("purge-postback", "acme-install", purged).with_control("postback", "acme-install", None),
        RULES.with_control("purge-partner", "acme", purged).with_control("partner", "acme", Control(paused=True)),
    ):
        assert of(rules, decided_at=NOW - 1) == of(rules, decided_at=NOW - 1, due_at=NOW + 5) == PURGED
        assert of(rules, decided_at=NOW) != PURGED
        assert of(rules, decided_at=NOW - 9, replay=True, replayed_at=NOW - 1) == PURGED
        assert of(rules, decided_at=NOW - 9, replay=True, replayed_at=NOW) != PURGED
    assert isinstance(of(RULES.with_control("purge-partner", "other", purged), decided_at=NOW - 1), Partner)
    let_go = RULES.with_control("purge-partner", "acme", purged).with_control("purge-partner", "acme", None)
    assert isinstance(of(let_go, decided_at=NOW - 1), Partner)


def test_pauses_stop_queued_jobs_and_end() -> None:
    paused = Control(paused=True)
    assert of(RULES.with_control("partner", "acme", paused)) == Paused()
    assert of(RULES.with_control("postback", "acme-install", paused)) == Paused()
    assert isinstance(of(RULES.with_control("partner", "other", paused)), Partner)
    assert isinstance(of(RULES.with_control("partner", "acme", paused).with_control("partner", "acme", None)), Partner)


def test_a_paused_postback_in_the_configuration_stops_queued_jobs_but_no_replays() -> None:
    paused = RULES.with_configuration(configuration([partner_named()], [postback_named(status="paused")]))
    assert of(paused) == Paused()
    assert isinstance(of(paused, replay=True), Partner)


def test_a_held_postback_waits() -> None:
    held = RULES.with_control("postback", "acme-install", Control(hold_until=NOW + 5_000))
    assert of(held) == Wait(NOW + 5_000)


def test_controls_stay_over_a_new_generation() -> None:
    rules = RULES.with_control("partner", "acme", Control(paused=True))
    assert of(rules.with_configuration(configuration([partner_named()]))) == Paused()
