"""Whom the sender believes to be the partner (D19)."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import Counter

import pytest

from schemas.config import Partner as PartnerSettings
from streams.delivery.wire import HttpWire
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support import certificates
from tests.support.sending import Bench, configuration, job_for, postback_named, sending
from tests.support.talking import EMPTY, LOOPBACK, answering, get
from tests.support.waiting import eventually_async

PLENTY = 5_000
REFUSED = {
    "expired": "certificate has expired",
    "self-signed": "self-signed certificate",
    "elsewhere": "IP address mismatch, certificate is not valid for '127.0.0.1'.",
}


@pytest.mark.parametrize(("name", "reason"), REFUSED.items(), ids=list(REFUSED))
async def test_a_certificate_that_proves_nothing_is_refused(wire: HttpWire, name: str, reason: str) -> None:
    async with answering(EMPTY, tls=certificates.server_context(name)) as asked:
        outcome = await wire.send(get(asked.url()), PLENTY)
    assert (outcome.kind, outcome.error) == ("failure", f"tls: {reason}")
    assert asked.requests == [], "the partner was told something"


async def test_an_authority_that_nobody_knows_is_refused() -> None:
    wire = HttpWire(LOOPBACK)
    try:
        async with answering(EMPTY, tls=certificates.server_context("good")) as asked:
            outcome = await wire.send(get(asked.url()), PLENTY)
    finally:
        await wire.close()
    assert (outcome.kind, outcome.error) == ("failure", "tls: unable to get local issuer certificate")
    assert asked.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_name_that_was_asked_for_is_the_one_that_is_proved(wire: HttpWire, host: str) -> None:
    context, asked_for = certificates.server_context("good"), list[str | None]()
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with answering(EMPTY, tls=context) as asked:
        outcome = await wire.send(get(asked.url(host=host)), PLENTY)
    assert outcome.status == 200
    assert outcome.tls_ms is not None
    # An address has no place there (RFC 6066 §3).
    assert asked_for == [host if host == "localhost" else None]


async def test_a_name_with_a_dot_behind_it_is_the_same_one(wire: HttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: real(host.rstrip("."), *rest))
    async with answering(EMPTY, tls=certificates.server_context("good")) as asked:
        outcome = await wire.send(get(asked.url(host="localhost.")), PLENTY)
    assert (outcome.status or outcome.error) == 200


async def test_an_old_version_of_tls_is_refused(wire: HttpWire) -> None:
    context = certificates.server_context("good")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with answering(EMPTY, tls=context) as asked:
        outcome = await wire.send(get(asked.url()), PLENTY)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith(("tls: ", "connect: "))
    assert asked.requests == []


async def test_a_server_without_tls_is_a_failure(wire: HttpWire) -> None:
    async with answering(b"") as asked:
        outcome = await wire.send(get(f"https://127.0.0.1:{asked.port}/i"), 200)
    assert outcome.kind == "failure"
    assert asked.requests == []


async def test_a_handshake_that_hangs_ends_with_the_request(wire: HttpWire) -> None:
    ends = threading.Event()

    def silent() -> None:
        accepted, _ = listening.accept()
        with accepted:
            ends.wait(5)
            # The connection is gone, nothing is left of the handshake.
            accepted.settimeout(5)
            while accepted.recv(10_000):
                pass
            closed.set()

    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=silent, daemon=True)
        serving.start()
        outcome = await wire.send(get(f"https://127.0.0.1:{listening.getsockname()[1]}/i"), 200)
        ends.set()
        assert (outcome.kind, outcome.error, outcome.tls_ms) == ("failure", "timeout", None)
        assert outcome.connect_ms is not None
        await eventually_async(closed.is_set, every=0.01)


async def test_it_is_tried_again_and_then_a_dead_letter(settings: Settings) -> None:
    """Through the whole sender."""
    bench = Bench(settings)
    bench.create()
    bench.configure(
        configuration([PartnerSettings(id="acme", name="acme", timeout=PLENTY)], [postback_named()]),
    )
    async with Partner(tls=certificates.server_context("self-signed")) as partner, sending(settings):
        bench.decide([job_for(partner.url("/i"), retry_attempts=1)])
        await eventually_async(lambda: asyncio.to_thread(bench.terminal), within=30)
        assert partner.requests == []
    error = f"tls: {REFUSED['self-signed']}"
    told = Counter((receipt.kind, receipt.outcome, receipt.attempt, receipt.error) for receipt in bench.receipts())
    assert told == {
        ("attempt", "failed", 1, error): 1,
        ("attempt", "failed", 2, error): 1,
        ("terminal", "failed", 2, error): 1,
    }
    assert [letter.reason for letter in bench.dead_letters()] == ["attempts_used_up"]
