"""What follows from an outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.job import Job
from streams.delivery.outcome import Outcome
from streams.delivery.retry import Backoff, Delivered, Failed, NotCharged, Retry, Suppressed, retry_after, rule
from tests.support.sending import job_for, partner_named

NOW = 1_760_000_000_000
BACKOFF = Backoff()
HOUR = 3_600_000


def job(**more: int) -> Job:
    return job_for("http://x.example/", 1, NOW, **more)


def answer(status: int, after: str | None = None) -> Outcome:
    return Outcome("answer", status, None, after)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert rule(job(), answer(status), partner_named(), NOW, 0.5, BACKOFF).verdict == Delivered()


@pytest.mark.parametrize("status", [199, 301, 302, 304, 399, 400, 401, 404, 413, 429, 500, 503, 599, 999])
def test_every_other_status_is_a_failure_that_is_retried(status: int) -> None:
    verdict = rule(job(), answer(status), partner_named(), NOW, 0.0, BACKOFF).verdict
    assert verdict == Retry(NOW + 15_000)


def test_a_partner_may_call_other_statuses_a_success() -> None:
    partner = partner_named(success_statuses=((200, 299), (302, 302)))
    assert rule(job(), answer(302), partner, NOW, 0.0, BACKOFF).verdict == Delivered()


def test_a_status_that_is_not_retried_is_final() -> None:
    partner = partner_named(no_retry_statuses=((400, 499),))
    assert rule(job(), answer(404), partner, NOW, 0.0, BACKOFF).verdict == Failed("no_retry_status")


@given(st.integers(0, 10), st.integers(0, 12))
def test_there_is_one_attempt_more_than_redeliveries(allowed: int, attempts: int) -> None:
    verdict = rule(
        job(retry_attempts=allowed, attempts=attempts), answer(500), partner_named(), NOW, 0.0, BACKOFF
    ).verdict
    assert (verdict == Failed("attempts_used_up")) == (attempts >= allowed)


def test_410_pauses_the_partner() -> None:
    assert rule(job(), answer(410), partner_named(), NOW, 0.0, BACKOFF).pause
    assert not rule(job(), answer(404), partner_named(), NOW, 0.0, BACKOFF).pause


def test_a_blocked_address_is_terminal_and_not_charged() -> None:
    ruling = rule(job(), Outcome("blocked", None, "blocked: 10.0.0.1"), partner_named(), NOW, 0.0, BACKOFF)
    assert ruling.verdict == Suppressed("blocked: 10.0.0.1")
    assert ruling.healthy is None


@pytest.mark.parametrize(
    ("error", "healthy"),
    [("resources: EMFILE", None), ("secret: missing", None), ("resolver: temporary failure", False)],
)
def test_a_name_that_cannot_be_looked_up_is_not_charged_and_lets_its_lane_rest(
    error: str, healthy: bool | None
) -> None:
    ruling = rule(job(attempts=3), Outcome("ours", None, error), partner_named(), NOW, 0.5, BACKOFF)
    assert isinstance(ruling.verdict, NotCharged)
    assert ruling.healthy is healthy


@given(st.floats(0, 0.999), st.integers(0, 10))
def test_what_is_ours_is_not_charged_however_often(fraction: float, attempts: int) -> None:
    ours = Outcome("ours", None, "resources: EMFILE")
    ruling = rule(job(attempts=attempts, retry_attempts=0), ours, partner_named(), NOW, fraction, BACKOFF)
    assert isinstance(ruling.verdict, NotCharged)
    assert NOW + 8_000 <= ruling.verdict.at <= NOW + 16_000
    assert ruling.healthy is None


@given(st.integers(0, 40), st.floats(0, 0.999999))
def test_backoff_triples_to_an_hour_and_half_of_it_is_random(failed: int, fraction: float) -> None:
    whole = min(30_000 * 3**failed, HOUR)
    assert whole // 2 <= BACKOFF.wait(failed, fraction) <= whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("1", 1_000),
        (" 120 ", 120_000),
        ("86400", HOUR),
        ("9" * 500, HOUR),
        ("0", 0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Thu, 09 Oct 2025 08:55:40 GMT", 540_000),
        ("Thu, 09 Oct 2025 20:00:00 GMT", HOUR),
        ("Thu, 09 Oct 2020 20:00:00 GMT", 0),
        ("Thu, 99 Oct 2025 99:00:00 GMT", None),
        ("Mon, 01 Jan 9999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_garbage_is_ignored(text: str | None, expected: int | None) -> None:
    assert retry_after(text, 1_760_000_000_000 - 400_000, HOUR) == expected


@given(st.text(max_size=80), st.integers(0, 1 << 45))
def test_no_retry_after_raises_or_exceeds_the_cap(text: str, now: int) -> None:
    found = retry_after(text, now, HOUR)
    assert found is None or 0 <= found <= HOUR


def test_retry_after_holds_the_whole_partner() -> None:
    ruling = rule(job(), answer(429, "120"), partner_named(), NOW, 0.0, BACKOFF)
    assert ruling.hold_until == NOW + 120_000
    assert ruling.verdict == Retry(NOW + 120_000)
    assert rule(job(), answer(429, "later"), partner_named(), NOW, 0.0, BACKOFF).hold_until is None


@pytest.mark.parametrize(
    ("outcome", "healthy"),
    [(answer(200), True), (answer(404), True), (answer(503), False), (Outcome("failure", None, "timeout"), False)],
)
def test_the_breaker_learns_from_silence_and_5xx(outcome: Outcome, healthy: bool) -> None:
    assert rule(job(), outcome, partner_named(), NOW, 0.0, BACKOFF).healthy is healthy
