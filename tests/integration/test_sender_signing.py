"""Signed requests, as a partner gets them on a real socket and takes them with the standard's own library."""

from __future__ import annotations

from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from schemas.job import Deferred, Request
from streams.local import exchange
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import Bench, configuration, job_for, partner_named, sending
from tests.support.waiting import eventually_async

OLD, NEW = "whsec_b2xkIHNlY3JldCBvZiB0aGUgcGFydG5lcg==", "a new one, as it stands"
BOTH, NEWEST = ("${env:ACME_NEW}", "${env:ACME_OLD}"), ("${env:ACME_NEW}",)


def takes(secret: str | bytes, request: exchange.Request) -> bool:
    try:
        Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)
    except WebhookVerificationError:
        return False
    return True


async def test_both_secrets_sign_while_one_is_changed_and_then_the_second_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_OLD", OLD)
    monkeypatch.setenv("ACME_NEW", NEW)
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named(signing_secrets=BOTH)]))
    code = Deferred("value", "clk", (("hmac_sha256", "${env:ACME_OLD}"),), "json")
    requests: dict[str, dict[str, Any]] = {
        "/json": {"method": "POST", "body": ('{"a": "%2C é", "c": "', code, '"}')},
        "/get?a=%2C": {"method": "GET"},
        "/delete": {"method": "DELETE"},
    }

    async with Partner() as partner, sending(settings) as running:
        jobs = [
            job_for("", n, request=Request(url=(partner.url(path),), **more))
            for n, (path, more) in enumerate(requests.items())
        ]
        bench.decide(jobs)
        await eventually_async(lambda: partner.count == 3)
        assert sorted(request.target for request in partner.requests) == sorted(requests)
        for request in partner.requests:
            assert request.header("webhook-id") == request.header("Idempotency-Key") == request.job_id
            assert takes(OLD, request), request.target
            assert takes(NEW.encode(), request), request.target
            assert not takes(b"another", request)

        bench.configure(configuration([partner_named(signing_secrets=NEWEST)], generation=2))
        await eventually_async(lambda: running.counted("config_generation") == 2)
        bench.decide([job_for(partner.url("/after"), 9)])
        await eventually_async(lambda: partner.count == 4)
        assert takes(NEW.encode(), partner.requests[3])
        assert not takes(OLD, partner.requests[3])
