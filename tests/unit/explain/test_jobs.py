"""What became of a job, in words: each end, each reason for it, each reason to wait."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from schemas.config import Endpoint, Partner
from schemas.control import Control, Target
from schemas.dead_letter import JOB_REASONS, DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams.explain import sentences
from streams.explain.found import SeenJob
from streams.explain.jobs import job_story
from streams.explain.shown import MARKS, story_lines
from streams.explain.told import JobStory
from tests.unit.explain.building import DAY, HOUR, MINUTE, SECOND, START, World, copy, postback


class Sent:
    """A job of the record `e`, decided at `START`, and what was written about it."""

    def __init__(self, **of_postback: Any) -> None:
        self.world = World(postback(delivery_method="all", **of_postback))
        self.world.event("e", 0)
        self.world.decided("e")
        self.world.now = START + MINUTE
        ((self.id, self.seen),) = self.world.recorded.jobs.items()
        self.controls: dict[Target, Control] = {}

    @property
    def job(self) -> Job:
        return self.seen.job

    def change(self, **changes: Any) -> Sent:
        """The job as a sender has written it since."""
        job = copy(self.job, **changes)
        self.world.recorded.jobs[self.id] = SeenJob(job, "ringback.delivery.retry.8s", START + SECOND)
        return self

    def receipt(self, kind: str, outcome: str, at: int, **more: Any) -> Sent:
        """What was written of an attempt or of the job."""
        own: dict[str, Any] = {
            "kind": kind, "job_id": self.id, "postback_id": "p", "partner": "acme", "app_id": "game",
            "event": "payment", "record_id": "e", "attempt": 1, "outcome": outcome, "status": None, "error": None,
            "at": START + at, "next_at": None, "duration_ms": None, "address": None, "response": "said: secret-token",
            "generation": 7, "replay": False,
        }  # fmt: skip
        self.world.recorded.receipts.append(Receipt(**(own | more)))
        return self

    def letter(self, reason: str, detail: str) -> Sent:
        """The dead letter of the job."""
        self.world.recorded.letters.append(
            DeadLetter(
                kind="job", reason=reason, detail=detail, topic="", partition=0, offset=0, at=START, job_id=self.id
            )
        )
        return self

    def story(self) -> JobStory:
        material = self.world.material("e")
        material.controls = self.controls
        return job_story(material, self.id)


def test_a_job_that_was_delivered_tells_each_attempt() -> None:
    sent = Sent()
    first = {"status": 503, "duration_ms": 12.4, "address": "203.0.113.7:443", "next_at": START + MINUTE}
    sent.receipt("attempt", "failed", SECOND, **first)
    sent.receipt("attempt", "delivered", MINUTE, attempt=2, status=200, duration_ms=1_500)
    sent.receipt("terminal", "delivered", MINUTE, attempt=2, status=200)
    story = sent.story()
    assert (story.outcome, story.generation, story.decided_at) == ("delivered", 7, START)
    assert story.text == "delivered at 2026-01-01T00:01:00Z, by attempt 2, 1 min after the decision, status 200"
    assert [one.text for one in story.attempts] == [
        "attempt 1 at 2026-01-01T00:00:01Z: status 503 in 12 ms (203.0.113.7:443); next at 2026-01-01T00:01:00Z",
        "attempt 2 at 2026-01-01T00:01:00Z: status 200 in 1 s 500 ms",
    ]


def test_neither_the_request_nor_the_answer_is_told() -> None:
    sent = Sent()
    sent.receipt("attempt", "delivered", SECOND, status=200).receipt("terminal", "delivered", SECOND, status=200)
    text = "\n".join(story_lines(sent.world.story("e")))
    assert "delivered at" in text
    assert "secret-token" not in text
    assert "postback.acme.example" not in text


#: Reason → the receipts' error, the dead letter's detail, and what is said.
FAILED = {
    "attempts_used_up": (
        "timeout",
        "failed at 2026-01-01T00:00:02Z after 1 attempt: attempts are used up (`retry_attempts` 3); the last one: "
        "timeout. It lies whole in the dead letters",
    ),
    "no_retry_status": (
        None,
        "after 1 attempt: the partner answered status 410, which is one of its `no_retry_statuses`. It lies",
    ),
    "unsendable": ("request: bad header", "the request cannot be sent: request: bad header. It lies"),
    "poison": ("poison: due in a hundred years", "is no usable job: poison: due in a hundred years. It lies"),
}


@pytest.mark.parametrize("reason", FAILED)
def test_each_failure_is_told_with_its_reason(reason: str) -> None:
    error, words = FAILED[reason]
    status = None if error else 410
    sent = Sent().receipt("attempt", "failed", SECOND, status=status, error=error)
    sent.receipt("terminal", "failed", 2 * SECOND, status=status, error=error or reason).letter(reason, error or "")
    assert words in sent.story().text


#: First word of the error → the error, and what is said.
SUPPRESSED = {
    "shadow": ("shadow", "suppressed at 2026-01-01T00:00:01Z: the postback is in `shadow`: decided and reported"),
    "partner_removed": ("partner_removed", "the partner acme is not in the configuration any more"),
    "blocked": ("blocked: 10.0.0.1", "not public and not in `RINGBACK_EGRESS_ALLOW` (10.0.0.1)"),
    "purged": ("purged: by an operator", "an operator purged it (by an operator)"),
    "erased": ("erased", "the user was erased"),
    "": ("something new", "it was not to be sent: something new"),
}


@pytest.mark.parametrize("word", SUPPRESSED)
def test_each_suppression_is_told_with_its_reason(word: str) -> None:
    error, words = SUPPRESSED[word]
    story = Sent().receipt("terminal", "suppressed", SECOND, attempt=0, error=error).story()
    assert story.outcome == "suppressed"
    assert words in story.text


def test_a_job_that_expired_says_how_old_it_may_be() -> None:
    story = Sent().receipt("terminal", "expired", 2 * DAY, attempt=0, error="max_age").story()
    assert story.text == (
        "expired at 2026-01-03T00:00:00Z after no attempt: it was older than the partner's `max_age`, 1 d, when it was "
        "its turn"
    )


def partner_paused() -> Sent:
    sent = Sent()
    sent.controls[Target("partner", "acme")] = Control(paused=True, reason="410 Gone")
    return sent


def postback_paused() -> Sent:
    sent = Sent().change(due_at=START + HOUR)
    sent.controls[Target("postback", "p")] = Control(paused=True)
    return sent


def configured_paused() -> Sent:
    sent = Sent()
    paused = copy(sent.world.configuration.postbacks[0], status="paused")
    sent.world.configuration = copy(sent.world.configuration, postbacks=(paused,))
    return sent


def postback_held() -> Sent:
    sent = Sent()
    sent.controls[Target("postback", "p")] = Control(hold_until=START + HOUR, reason="a sale")
    return sent


def partner_held() -> Sent:
    sent = Sent()
    sent.controls[Target("partner", "acme")] = Control(hold_until=START + HOUR)
    return sent


def redelivery() -> Sent:
    sent = Sent().change(attempts=1, due_at=START + 3 * MINUTE)
    return sent.receipt("attempt", "failed", SECOND, status=500, next_at=START + 3 * MINUTE)


def too_old() -> Sent:
    sent = Sent()
    sent.world.now = START + 2 * DAY
    return sent


def to_shadow() -> Sent:
    sent = Sent()
    shadow = copy(sent.world.configuration.postbacks[0], status="shadow")
    sent.world.configuration = copy(sent.world.configuration, postbacks=(shadow,))
    return sent


def to_purged() -> Sent:
    sent = Sent()
    sent.controls[Target("purge-partner", "acme")] = Control(purge_before=START + DAY)
    return sent


def to_removed() -> Sent:
    sent = Sent()
    sent.world.configuration = copy(sent.world.configuration, postbacks=(), partners=(Partner(id="x", name="X"),))
    return sent


WAITS = {
    "partner_paused": (partner_paused, "waits: the partner acme is paused (410 Gone)"),
    "postback_paused": (postback_paused, "waits: the postback is paused"),
    "configured_paused": (configured_paused, "paused by now (`status: paused` in the live configuration)"),
    "postback_held": (postback_held, "waits: the postback is held until 2026-01-01T01:00:00Z (a sale)"),
    "partner_held": (partner_held, "waits: the partner acme is held until 2026-01-01T01:00:00Z"),
    "redelivery": (
        redelivery,
        "waits for its redelivery, attempt 2 of at most 4, due 2026-01-01T00:03:00Z (in 2 min)",
    ),
    "delay": (
        lambda: Sent(delivery_delay=5 * MINUTE),
        "waits: `delivery_delay` 5 min, due 2026-01-01T00:05:00Z (in 4 min)",
    ),
    "ours": (
        lambda: Sent().change(due_at=START + 2 * MINUTE),
        "waits, and no attempt is charged: what kept it was on the sender's side (a name that could not be looked up, "
        "a connection or file too many), or a pause or hold that is over; the sender's log says so. It is tried again "
        "2026-01-01T00:02:00Z (in 1 min)",
    ),
    "limit": (
        lambda: Sent().change(due_at=START + 2 * MINUTE, reserved=True),
        "waits for a slot of its partner acme (its limits, a hold or its breaker), due 2026-01-01T00:02:00Z (in 1 min)",
    ),
    "overdue": (Sent, "was due 2026-01-01T00:00:00Z, 1 min ago, and has no receipt since: does a sender of the group"),
    "too_old": (too_old, "is 2 d old, more than the partner's `max_age` 1 d, and has no receipt"),
    "to_shadow": (to_shadow, "the postback is in `shadow` by now"),
    "to_purged": (to_purged, "is not sent: an operator has purged what waited for its partner or postback"),
    "to_removed": (to_removed, "the partner acme is gone from the configuration"),
}


@pytest.mark.parametrize("word", WAITS)
def test_each_reason_to_wait_is_told(word: str) -> None:
    make, words = WAITS[word]
    story = make().story()
    assert story.outcome == "waiting"
    assert words in story.text


@pytest.mark.parametrize(("due", "when"), [(2 * MINUTE, "(in 1 min)"), (MINUTE - SECOND, "(1 s ago)")])
def test_a_job_whose_secret_has_no_value_is_told_with_the_secret(due: int, when: str) -> None:
    endpoint = Endpoint(url="https://a.example/?k=${env:ACME_KEY}&s={event|hmac_sha256:${file:/run/acme}}")
    sent = Sent(endpoint=endpoint).change(due_at=START + due)
    text = sent.story().text
    assert "waits, and no attempt is charged: its request needs ${env:ACME_KEY} and ${file:/run/acme}" in text
    assert "most likely a secret has no value where the sender runs: its log and, on that machine, `ringback" in text
    assert text.endswith(when)
    assert "slot" not in text


def test_a_delay_that_was_changed_since_is_told_as_a_delay() -> None:
    sent = Sent(delivery_delay=5 * MINUTE)
    material = sent.world.material("e")
    later = copy(sent.world.configuration.postbacks[0], delivery_delay=HOUR)
    material.live = copy(sent.world.configuration, postbacks=(later,), generation=8)
    assert job_story(material, sent.id).text.startswith("waits: `delivery_delay` 5 min")


def test_a_redelivery_that_was_put_off_without_an_attempt_says_so() -> None:
    assert "waits for its redelivery, attempt 2" in redelivery().story().text
    assert "no attempt is charged" in redelivery().change(attempts=1, due_at=START + 5 * MINUTE).story().text


def test_the_age_of_a_job_is_exact_beside_the_age_that_it_may_have() -> None:
    sent = Sent()
    sent.world.now = START + DAY + SECOND
    assert "is 1 d 1 s old, more than the partner's `max_age` 1 d" in sent.story().text


def test_every_end_and_every_reason_has_its_sentence_and_its_case() -> None:
    assert sentences.ENDS.keys() == set(get_args(get_type_hints(Receipt)["outcome"]))
    assert MARKS.keys() == sentences.ENDS.keys() | {"waiting", "unknown", ""}
    assert sentences.FAILURES.keys() - {""} == set(JOB_REASONS) == FAILED.keys()
    assert sentences.SUPPRESSED.keys() == SUPPRESSED.keys()
    assert sentences.WAITS.keys() == WAITS.keys()


def test_a_job_whose_record_is_gone_is_told_by_its_receipts() -> None:
    sent = Sent().receipt("attempt", "failed", SECOND, status=500, next_at=START + MINUTE)
    sent.world.recorded.jobs.clear()
    assert sent.story().text == "has not ended; its next attempt was due 2026-01-01T00:01:00Z"
    sent.receipt("terminal", "delivered", MINUTE, attempt=2, status=200)
    answer = sent.world.answer("e")
    assert answer.text == "delivered at 2026-01-01T00:01:00Z, by attempt 2, status 200"
    assert answer.job is not None
    assert (answer.job.decided_at, answer.job.generation) == (None, 7)


def test_a_job_that_was_decided_counts_although_the_rules_would_not_decide_it_now() -> None:
    sent = Sent()
    paused = copy(sent.world.configuration.postbacks[0], status="paused")
    sent.world.configuration = copy(sent.world.configuration, postbacks=(paused,))
    answer = sent.world.answer("e")
    assert answer.reason is None
    assert answer.note is not None
    assert "there would be no job (the postback is paused: `status: paused`" in answer.note

    gone = Sent().receipt("terminal", "delivered", SECOND, status=200)
    gone.world.configuration = copy(gone.world.configuration, postbacks=())
    answer = gone.world.answer("e")
    assert (answer.postback_id, answer.text[:9]) == ("p", "delivered")


def test_a_job_that_no_topic_holds_is_doubtful() -> None:
    sent = Sent()
    sent.world.recorded.jobs.clear()
    answer = sent.world.answer("e")
    assert answer.job is not None
    assert (answer.job.outcome, answer.job.job_id) == ("unknown", sent.id)
    assert answer.text == f"a job, {sent.id}, by the rules and topics as they are now; but no topic holds one"
    sent.world.now = START + 8 * DAY
    assert "would be older than what the topics hold (jobs are kept for 7 d)" in sent.world.answer("e").text


def test_the_jobs_of_another_record_with_the_same_id_are_not_its_own() -> None:
    sent = Sent()
    sent.world.install("e", DAY, publisher_name="acme")
    event, install = sent.world.stories("e")
    assert [one.job.job_id for one in event.postbacks if one.job] == [sent.id]
    assert [one.job for one in install.postbacks if one.job] == []
