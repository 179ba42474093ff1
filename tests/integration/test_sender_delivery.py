"""Jobs in the delivery topic become requests and receipts, on the real broker and real sockets."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec
import pytest

from schemas.control import Control, Target
from schemas.job import Deferred, Request
from streams.config import control
from streams.delivery.sender import Limits
from streams.local.exchange import Answer, retry_after
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import Bench, configuration, ended, job_for, partner_named, postback_named, sending
from tests.support.topics import Sent
from tests.support.waiting import eventually_async


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    return made


async def test_each_job_becomes_one_request_and_its_receipts(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings):
        bench.decide_in_transaction(job_for(partner.url(f"/i?n={n}"), n) for n in range(200))
        await ended(bench, 200)
        assert sorted(partner.job_ids(), key=str) == sorted(f"job-{n}" for n in range(200))
    assert bench.outcomes() == {"delivered": 200}
    receipts = bench.receipts()
    assert len(receipts) == 400
    first = next(receipt for receipt in receipts if receipt.kind == "attempt")
    assert (first.attempt, first.outcome, first.status, first.address) == (
        1,
        "delivered",
        200,
        f"127.0.0.1:{partner.port}",
    )
    assert first.duration_ms is not None


async def test_what_was_finished_is_not_sent_again_after_a_restart(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner:
        async with sending(settings, Limits()):
            now = int(time.time() * 1000)
            url = partner.url("/i")
            bench.decide(job_for(url, n, due_at=now + 7_000 if n % 10 == 0 else now) for n in range(100))
            await ended(bench, 90)
        assert partner.count == 90
        async with sending(settings, Limits()):
            await ended(bench, 100)
    assert sorted(partner.job_ids(), key=str) == sorted(f"job-{n}" for n in range(100))
    assert bench.outcomes() == {"delivered": 100}


async def test_failures_are_redelivered_and_numbered(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings):
        partner.answer("/i", Answer(status=500), retry_after("1", 503), Answer(status=201))
        attempt = Deferred("macro", "attempt", (), "query")
        bench.decide([job_for("", 1, request=Request("GET", (partner.url("/i?a="), attempt)))])
        await ended(bench, 1)
    assert [request.query for request in partner.requests] == ["a=1", "a=2", "a=3"]
    assert len(set(partner.job_ids())) == 1
    attempts = sorted((r.attempt, r.outcome, r.status) for r in bench.receipts() if r.kind == "attempt")
    assert attempts == [(1, "failed", 500), (2, "failed", 503), (3, "delivered", 201)]
    held = partner.requests[2].at - partner.requests[1].at
    assert held >= 1_000, "Retry-After was not honoured"
    assert bench.terminal()["job-1"][0].attempt == 3


async def test_used_up_attempts_end_as_a_dead_letter(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named(no_retry_statuses=((400, 404),))]))
    async with Partner() as partner, sending(settings):
        partner.rule("/i", lambda _: Answer(status=500))
        partner.rule("/no", lambda _: Answer(status=401, body=b"who?"))
        bench.decide([job_for(partner.url("/i"), 1, retry_attempts=1), job_for(partner.url("/no"), 2)])
        await ended(bench, 2)
        assert partner.count == 3
    letters = {letter.job_id: letter for letter in bench.dead_letters()}
    assert (letters["job-1"].reason, letters["job-1"].status) == ("attempts_used_up", 500)
    assert (letters["job-2"].reason, letters["job-2"].status) == ("no_retry_status", 401)
    assert bench.outcomes() == {"failed": 2}
    response = next(r.response for r in bench.receipts() if r.job_id == "job-2" and r.kind == "attempt")
    assert response == "who?"


async def test_a_delayed_job_is_never_early(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings):
        now = int(time.time() * 1000)
        due = {f"job-{n}": now + 500 + (n * 7919) % 3_000 for n in range(300)}
        bench.decide(job_for(partner.url("/i"), n, due_at=due[f"job-{n}"]) for n in range(300))
        await ended(bench, 300)
    late = sorted(request.at - due[request.job_id or ""] for request in partner.requests)
    assert late[0] >= 0
    assert late[int(len(late) * 0.99)] < 1_000
    assert bench.outcomes() == {"delivered": 300}


async def test_shadow_removed_and_expired_jobs_end_unsent(bench: Bench, settings: Settings) -> None:
    shadow = postback_named("acme-shadow", status="shadow")
    bench.configure(configuration([partner_named()], [shadow]))
    old = int(time.time() * 1000) - 7_200_000
    async with Partner() as partner, sending(settings):
        url = partner.url("/i")
        bench.decide(
            [
                job_for(url, 1, shadow=True),
                job_for(url, 2, postback_id="acme-shadow"),
                job_for(url, 3, partner="gone"),
                job_for(url, 4, decided_at=old, due_at=old, max_age=3_600_000),
            ]
        )
        await ended(bench, 4)
        assert partner.count == 0
    errors = {name: (receipts[0].outcome, receipts[0].error) for name, receipts in bench.terminal().items()}
    assert errors == {
        "job-1": ("suppressed", "shadow"),
        "job-2": ("suppressed", "shadow"),
        "job-3": ("suppressed", "partner_removed"),
        "job-4": ("expired", "max_age"),
    }


async def test_poison_is_a_dead_letter_and_the_next_job_goes_on(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings):
        url = partner.url("/i")
        absurd = [job_for(url, 1, attempts=-1), job_for(url, 2, attempts=10**9), job_for(url, 3, due_at=10**15)]
        raw = [b"", b"{", b"[]", b'{"job_id": 5}', b"\xff\xfe", None]
        bench.write(bench.topics.delivery, [Sent(value, b"k", 0) for value in raw])
        bench.write(bench.topics.delivery, [Sent(msgspec.json.encode(job), b"k", 0) for job in absurd])
        bench.write(bench.topics.delivery, [Sent(msgspec.json.encode(job_for(url, 9)), b"k", 0)])
        await ended(bench, 4)
    assert partner.job_ids() == ["job-9"]
    letters = bench.dead_letters()
    assert [letter.reason for letter in letters] == ["poison"] * 9
    assert [letter.value for letter in letters][1] == b"{"
    assert bench.outcomes() == {"delivered": 1, "failed": 3}


async def test_poison_that_is_long_where_nobody_looks_stops_nothing(bench: Bench, settings: Settings) -> None:
    """What is said of it would not fit into its topics; what was sent beside it would be sent again and again."""
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings) as running:
        url = partner.url("/i")
        long = [
            Sent(b"{", b"k" * 900_000, 0),
            Sent(msgspec.json.encode(job_for(url, 1)), b"k" * 900_000, 0),
            Sent(msgspec.json.encode(job_for(url, 2, campaign_name="c" * 900_000)), b"k", 0),
        ]
        bench.write(bench.topics.delivery, [*long, Sent(msgspec.json.encode(job_for(url, 9)), b"k", 0)])
        await ended(bench, 3)
        assert running.counted("kafka_errors_total", reason="fatal") == 0
    assert partner.job_ids() == ["job-9"]
    letters = bench.dead_letters()
    assert [letter.reason for letter in letters] == ["poison"] * 3
    assert letters[0].key == b"k" * 900_000
    assert bench.outcomes() == {"delivered": 1, "failed": 2}


async def test_a_paused_partner_waits_uncharged_and_goes_on_when_resumed(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    await asyncio.to_thread(control.write_control, settings, "partner", "acme", Control(paused=True))
    async with Partner() as partner, sending(settings) as running:
        bench.decide(job_for(partner.url("/i"), n) for n in range(20))
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="paused") >= 20)
        assert partner.count == 0
        await asyncio.to_thread(control.write_control, settings, "partner", "acme", None)
        await ended(bench, 20)
    assert partner.count == 20
    assert all(receipt.attempt == 1 for receipt in bench.receipts())


async def test_410_pauses_the_partner(bench: Bench, settings: Settings) -> None:
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(settings) as running:
        partner.rule("/i", lambda _: Answer(status=410))
        bench.decide([job_for(partner.url("/i"), 1)])
        await eventually_async(lambda: asyncio.to_thread(lambda: bool(control.read_controls(settings))))
        found = await asyncio.to_thread(control.read_controls, settings)
        assert found[Target("partner", "acme")].paused
        bench.decide([job_for(partner.url("/i"), 2)])
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="paused") >= 1)
        assert partner.count == 1


async def test_a_blocked_address_is_never_dialled(bench: Bench, make_settings: object) -> None:
    closed = make_settings(egress_allow="")  # type: ignore[operator]
    bench.configure(configuration([partner_named()]))
    async with Partner() as partner, sending(closed) as running:
        bench.decide([job_for(partner.url("/i"), 1)])
        await ended(bench, 1)
        assert partner.count == 0
        assert running.counted("egress_blocked_total", partner="acme") == 1
    (receipt,) = bench.terminal()["job-1"]
    assert (receipt.outcome, receipt.error) == ("suppressed", "blocked: 127.0.0.1")


async def test_secrets_are_sent_and_written_nowhere(
    bench: Bench,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ACME_KEY", "s3cr3t-value")
    bench.configure(configuration([partner_named()]))
    secret = Deferred("text", "${env:ACME_KEY}", (), "query")
    caplog.set_level(logging.DEBUG)
    missing = Deferred("text", "${env:NOT_SET_ANYWHERE}", (), "query")
    async with Partner() as partner, sending(settings) as running:
        partner.rule("/", lambda request: Answer(404, body=f"nothing at {request.target}".encode()))
        bench.decide([job_for("", 1, request=Request("GET", (partner.url("/i?k="), secret)), retry_attempts=0)])
        bench.decide([job_for("", 2, request=Request("GET", (partner.url("/m?k="), missing)))])
        await ended(bench, 1)
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="ours") >= 1)
    assert [request.target for request in partner.requests] == ["/i?k=s3cr3t-value"]
    receipts, letters = bench.receipts(), bench.dead_letters()
    assert {receipt.response for receipt in receipts} == {"nothing at /i?k=${env:ACME_KEY}", None}
    assert len(letters) == 1
    told = "".join([*capfd.readouterr(), caplog.text])
    assert "NOT_SET_ANYWHERE" in told
    assert all("s3cr3t" not in str(written) for written in (receipts, letters, letters[0].value, told))
    assert not any(receipt.job_id == "job-2" for receipt in receipts), "ours, not charged"
