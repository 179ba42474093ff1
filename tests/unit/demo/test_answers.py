"""How the demo's partner answers."""

from __future__ import annotations

from collections import Counter

from schemas.config import SECOND
from streams.demo.answers import answer
from streams.demo.configuration import load_configuration
from streams.local.exchange import OK
from streams.postbacks.jobs import job_id

JOBS = [job_id("p", "payment", "app", "app|device", "event", f"e-{number}", 1) for number in range(5_000)]
NETWORK = "/globex/first"


def statuses(attempt: int, path: str) -> Counter[int]:
    return Counter(answer(job, attempt, path).status for job in JOBS)


def test_the_same_attempt_has_the_same_answer() -> None:
    assert [answer(job, 1, NETWORK) for job in JOBS] == [answer(job, 1, NETWORK) for job in JOBS]


def test_most_first_attempts_succeed_and_some_fail() -> None:
    found = statuses(1, NETWORK)
    assert found.keys() == {200, 429, 500}
    assert 0.04 < found[500] / len(JOBS) < 0.06
    assert 0.02 < found[429] / len(JOBS) < 0.04


def test_every_second_attempt_succeeds() -> None:
    assert statuses(2, NETWORK).keys() == {200}


def test_who_is_busy_says_when_to_come_back() -> None:
    busy = [given for job in JOBS if (given := answer(job, 1, NETWORK)).status == 429]
    assert {given.headers for given in busy} == {(("Retry-After", "1"),)}


def test_initech_does_not_know_every_click() -> None:
    assert 0.04 < statuses(1, "/initech/level")[404] / len(JOBS) < 0.08
    assert statuses(2, "/initech/level").keys() == {200, 404}
    initech = next(one for one in load_configuration("http://p", "").partners if one.id == "initech")
    assert initech.no_retry_statuses == ((404, 404),)


def test_some_answers_are_slow_and_none_reaches_a_timeout() -> None:
    delays = [given.delay for job in JOBS if (given := answer(job, 1, NETWORK)) != OK and given.status == 200]
    assert 0.08 < len(delays) / len(JOBS) < 0.12
    assert min(delays) >= 0.2
    assert 1.0 < max(delays) <= 1.5
    shortest = min(partner.timeout for partner in load_configuration("http://p", "").partners)
    assert max(delays) * 5 < shortest / SECOND
