"""A demo is not EQUAL because its ids are: what each job says, what was sent and when, is compared too."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from schemas.dead_letter import DeadLetter
from schemas.job import Deferred, Job
from schemas.receipt import Receipt
from streams.demo.configuration import load_configuration
from streams.demo.expected import Outcome, expected
from streams.demo.simulator import plan
from streams.demo.verdict import EARLY_MS, Seen, Verdict, judged, owed
from tests.unit.demo.laying import PARTITIONS, lay

NOW = 1_767_323_045_000
CONFIGURATION = load_configuration("http://127.0.0.1:4711", "")
WANTED: Outcome = expected(CONFIGURATION, lay(CONFIGURATION, plan(3, 1_500, NOW), NOW), PARTITIONS)


def first(postback_id: str, statuses: tuple[int, ...]) -> str:
    """The id of a job of that postback that is answered like this."""
    return min(
        job.job_id
        for job in WANTED.jobs.values()
        if job.postback_id == postback_id and WANTED.attempts[job.job_id] == statuses
    )


DELAYED = first("globex-tutorial", (200,))
INSTALL = first("acme-install", (200,))
RETRIED = first("acme-payment-ca", (500, 200))
POSTED = first("initech-payment-ios", (200,))
FAILED = first("initech-payment-ios", (404,))
SHADOW = first("acme-payment-ios", ())


def receipt(job: Job, attempt: int, status: int, at: int, next_at: int | None) -> Receipt:
    return Receipt(
        kind="attempt",
        job_id=job.job_id,
        postback_id=job.postback_id,
        partner=job.partner,
        app_id=job.app_id,
        event=job.event,
        record_id=job.record_id,
        attempt=attempt,
        outcome="delivered" if status == 200 else "failed",
        status=status,
        error=None,
        at=at,
        next_at=next_at,
        duration_ms=12.5,
        address=None,
        response=None,
        generation=1,
        replay=False,
    )


def letter(job_id: str, reason: str) -> DeadLetter:
    return DeadLetter(
        kind="job", reason=reason, detail="", topic="delivery", partition=0, offset=0, at=NOW, job_id=job_id
    )


def as_it_must() -> Seen:
    """Everything as a run leaves it that came out rightly: each job decided at another time, sent when it was due."""
    jobs, attempts = {}, []
    for number, (job_id, job) in enumerate(WANTED.jobs.items()):
        decided, due = NOW + number, NOW + number + job.due_at
        jobs[job_id] = msgspec.structs.replace(job, decided_at=decided, due_at=due, generation=1)
        for attempt, status in enumerate(WANTED.attempts[job_id], 1):
            at = due + 13
            due = at + 20_000
            again = due if attempt < len(WANTED.attempts[job_id]) else None
            attempts.append(receipt(job, attempt, status, at, again))
    letters = [letter(job_id, reason) for job_id, reason in WANTED.letters.items()]
    return Seen(deepcopy(WANTED.counts), jobs, attempts, letters, list(owed(WANTED).elements()))


def asked(job_id: str, attempt: int = 1) -> tuple[str, str]:
    """What the partner must be asked for."""
    (found,) = (one for one in owed(WANTED) if one[0] == job_id and f"attempt={attempt}" in one[1])
    return found


def test_what_is_as_it_must_be_does_not_differ() -> None:
    assert judged(WANTED, as_it_must()) == Verdict([], 0)


def test_the_partner_is_asked_for_what_the_templates_say() -> None:
    levels = [target for job_id, target in owed(WANTED) if WANTED.jobs[job_id].postback_id == "initech-level-up"]
    assert len(levels) > 50
    for target in levels:
        path, _, query = target.partition("?")
        names = [pair.partition("=")[0] for pair in query.split("&")]
        assert (path, names[-2:]) == ("/initech/level", ["organic", "attempt"])
        assert query.endswith("attempt=1")
    assert [target[-10:] for job_id, target in owed(WANTED) if job_id == RETRIED] == ["&attempt=1", "&attempt=2"]


def job_with(job_id: str, **fields: Any) -> Callable[[Seen], object]:
    return lambda seen: seen.jobs.update({job_id: msgspec.structs.replace(seen.jobs[job_id], **fields)})  # type: ignore[attr-defined]


def request_with(job_id: str, **fields: Any) -> Callable[[Seen], object]:
    request = msgspec.structs.replace(WANTED.jobs[job_id].request, **fields)
    return job_with(job_id, request=request)


def receipt_with(job_id: str, number: int, /, **fields: Any) -> Callable[[Seen], object]:
    def change(seen: Seen) -> None:
        assert isinstance(seen.attempts, list)
        ((at, one),) = [
            (at, one) for at, one in enumerate(seen.attempts) if (one.job_id, one.attempt) == (job_id, number)
        ]
        seen.attempts[at] = msgspec.structs.replace(one, **{name: make(one) for name, make in fields.items()})

    return change


def without_receipt(seen: Seen) -> None:
    seen.attempts[:] = [one for one in seen.attempts if one.job_id != INSTALL]  # type: ignore[index]


def every_request_wrong(seen: Seen) -> None:
    for job_id, job in seen.jobs.items():
        request = msgspec.structs.replace(job.request, url=("http://127.0.0.1:4711/wrong",))
        seen.jobs[job_id] = msgspec.structs.replace(job, request=request)  # type: ignore[index]


CHANGES: dict[str, tuple[Callable[[Seen], object], list[str]]] = {
    "another partner": (job_with(INSTALL, partner="globex"), ["acme-install partner: not as expected in 1 job: "]),
    "another event": (job_with(INSTALL, event="payment"), ["acme-install event: not as expected in 1 job: "]),
    "another app": (job_with(INSTALL, app_id="x"), ["acme-install app_id: not as expected in 1 job: "]),
    "another method": (request_with(INSTALL, method="PUT"), ["acme-install method: "]),
    "another address": (request_with(INSTALL, url=("http://x/",)), ["acme-install url: "]),
    "an address without its attempt": (
        request_with(RETRIED, url=(*WANTED.jobs[RETRIED].request.url[:-1], "1")),
        ["acme-payment-ca url: "],
    ),
    "an address with something else for the sender": (
        request_with(RETRIED, url=(*WANTED.jobs[RETRIED].request.url[:-1], Deferred("macro", "now", (), "query"))),
        ["acme-payment-ca url: "],
    ),
    "another header": (request_with(POSTED, headers=(("X-Account", ("1",)),)), ["initech-payment-ios headers: "]),
    "another body": (request_with(POSTED, body=("{}",)), ["initech-payment-ios body: "]),
    "no delay": (
        lambda seen: job_with(DELAYED, due_at=seen.jobs[DELAYED].decided_at)(seen),
        ["globex-tutorial due_at: not as expected in 1 job: "],
    ),
    "a shadow that is to be sent": (job_with(SHADOW, shadow=False), ["acme-payment-ios shadow: "]),
    "more attempts": (job_with(INSTALL, retry_attempts=9), ["acme-install retry_attempts: "]),
    "sent before its delay was over": (
        receipt_with(DELAYED, 1, at=lambda one: one.at - 1_000),
        ["receipts: sent before it was due: 1 attempt: "],
    ),
    "sent again too early": (
        receipt_with(RETRIED, 2, at=lambda one: one.at - 1_000),
        ["receipts: sent before it was due: 1 attempt: "],
    ),
    "early within what clocks may differ": (receipt_with(DELAYED, 1, at=lambda one: one.at - EARLY_MS), []),
    "another answer": (receipt_with(RETRIED, 1, status=lambda _: 503), ["receipts: the attempts, or their answers, "]),
    "another number": (receipt_with(RETRIED, 2, attempt=lambda _: 3), ["receipts: the attempts, or their answers, "]),
    "no receipt of an attempt": (without_receipt, ["receipts: the attempts, or their answers, "]),
    "no dead letter": (
        lambda seen: seen.letters.remove(letter(FAILED, "no_retry_status")),  # type: ignore[attr-defined]
        [f"dead letters missing: 1 job: {FAILED} (no_retry_status)"],
    ),
    "two dead letters": (
        lambda seen: seen.letters.append(letter(FAILED, "no_retry_status")),  # type: ignore[attr-defined]
        [f"dead letters not expected: 1 job: {FAILED} (no_retry_status)"],
    ),
    "a dead letter of a job that was delivered": (
        lambda seen: seen.letters.append(letter(INSTALL, "poison")),  # type: ignore[attr-defined]
        [f"dead letters not expected: 1 job: {INSTALL} (poison)"],
    ),
    "a request that never came": (
        lambda seen: seen.requests.remove(asked(RETRIED, 2)),  # type: ignore[attr-defined]
        [f"partner: never came: 1 request: {RETRIED} "],
    ),
    "a request for something else": (
        lambda seen: seen.requests.append((INSTALL, "/acme_ads/other")),  # type: ignore[attr-defined]
        [f"partner: not as expected: 1 request: {INSTALL} /acme_ads/other"],
    ),
    "a third attempt": (
        lambda seen: seen.requests.append((RETRIED, asked(RETRIED)[1][:-1] + "3")),  # type: ignore[attr-defined]
        [f"partner: not as expected: 1 request: {RETRIED} "],
    ),
    "a shadow that was sent": (
        lambda seen: seen.requests.append((SHADOW, "/acme_ads/payment")),  # type: ignore[attr-defined]
        [f"partner: not as expected: 1 request: {SHADOW} "],
    ),
    "a request of nobody's": (
        lambda seen: seen.requests.append(("0" * 32, "/")),  # type: ignore[attr-defined]
        ["partner: of jobs that nobody had to decide: 1 request: 0000"],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_otherwise_is_told(name: str) -> None:
    change, lines = CHANGES[name]
    seen = as_it_must()
    change(seen)
    found, repeated = judged(WANTED, seen)
    assert repeated == 0
    assert len(found) == len(lines), found
    for told, line in zip(found, lines, strict=True):
        assert told.startswith(line)


def test_all_requests_may_be_wrong_with_the_right_ids() -> None:
    seen = as_it_must()
    every_request_wrong(seen)
    with_jobs = [postback_id for postback_id, jobs in WANTED.counts.postbacks.items() if jobs.decided]
    assert [line.partition(":")[0] for line in judged(WANTED, seen).differences] == [
        f"{postback_id} url" for postback_id in sorted(with_jobs)
    ]


def test_the_first_that_differs_is_shown_beside_what_it_must_be() -> None:
    seen = as_it_must()
    job_with(INSTALL, partner="globex")(seen)
    assert judged(WANTED, seen).differences == [
        f"acme-install partner: not as expected in 1 job: {INSTALL}; "
        f'of {INSTALL} expected "acme_ads", observed "globex"'
    ]


def test_a_request_that_came_once_more_is_no_difference() -> None:
    seen = as_it_must()
    seen.requests.extend([asked(INSTALL), asked(RETRIED), asked(RETRIED)])  # type: ignore[attr-defined]
    assert judged(WANTED, seen) == Verdict([], 3)
