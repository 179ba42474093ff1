"""What is to be done with a job now."""

from __future__ import annotations

from schemas.config import Partner
from schemas.control import Control
from streams.delivery.course import Course, End, Paused, Rules, Wait, course
from tests.support.sending import configuration, job_for, partner_named, postback_named

NOW = 1_760_000_000_000
RULES = Rules().with_configuration(configuration([partner_named()], [postback_named()]))


def of(rules: Rules = RULES, **more: object) -> Course:
    return course(job_for("http://x.example/", 1, NOW, **more), rules, NOW)


def test_a_job_that_is_due_goes_to_its_partner() -> None:
    assert isinstance(of(), Partner)


def test_a_job_waits_until_it_is_due() -> None:
    assert of(due_at=NOW + 1) == Wait(NOW + 1)
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
