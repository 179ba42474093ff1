"""The wire on real sockets, against partners that answer what they should not (D10, D11, D15, D16, D18, D20, D21)."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc

import pytest

from streams.delivery.http.answers import BODY_LIMIT
from streams.delivery.wire import HttpWire
from streams.local.exchange import Answer
from streams.local.partner import Partner
from tests.support import certificates
from tests.support.talking import EMPTY, HEAD, Talk, Way, answering, get, says, server, timed

#: Enough for every answer that comes at once.
PLENTY = 5_000


@pytest.mark.parametrize(
    "talk",
    [
        says(stay=True),
        says(HEAD, b"X-Drip: a\r\n", pause=0.02, repeat=True),
        says(HEAD + b"Content-Length: 4000\r\n\r\n", b"x", pause=0.02, repeat=True),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.02, repeat=True),
        says(HEAD + b"\r\n", b"x", pause=0.02, repeat=True),
        says(b"HTTP/1.1 100 Continue\r\n\r\n", stay=True),
        says(HEAD[:5], stay=True),
    ],
    ids=["silence", "headers drip", "body drips", "chunks drip", "no length drips", "100", "half a line"],
)
async def test_the_timeout_is_over_everything(wire: HttpWire, talk: Talk, way: Way) -> None:
    async with server(talk, way.tls) as asked:
        outcome, took = await timed(wire, way.request(asked.url()), 250)
    assert (outcome.kind, outcome.error) == ("failure", "timeout")
    assert 0.25 <= took < 1.5


async def test_a_connection_that_is_never_accepted_times_out(wire: HttpWire) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        outcome, took = await timed(wire, get(f"http://127.0.0.1:{full.getsockname()[1]}/"))
        for filler in fillers:
            filler.close()
    assert (outcome.kind, outcome.error) == ("failure", "timeout")
    assert (outcome.connect_ms, outcome.first_byte_ms) == (None, None)
    assert took < 2.0


async def test_whoever_cancels_a_request_is_not_told_of_a_timeout(wire: HttpWire) -> None:
    async with server(says(stay=True)) as asked:
        task = asyncio.create_task(wire.send(get(asked.url()), PLENTY))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "head",
    [b"\r\n", b"Content-Length: 10000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n"],
    ids=["until it closes", "a length", "a chunk"],
)
async def test_an_endless_body_is_cut(wire: HttpWire, head: bytes, way: Way) -> None:
    async with server(says(HEAD + head, b"x" * 65_536, repeat=True), way.tls) as asked:
        tracemalloc.start()
        outcome, took = await timed(wire, way.request(asked.url()), PLENTY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (outcome.kind, outcome.status) == ("answer", 200)
    assert outcome.response == "x" * BODY_LIMIT
    assert took < 2.0
    assert peak < 5_000_000


async def test_a_compressed_body_is_not_unpacked(wire: HttpWire, way: Way) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with server(says(head + bomb), way.tls) as asked:
        tracemalloc.start()
        outcome, _ = await timed(wire, way.request(asked.url()), PLENTY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome.status == 200
    assert (outcome.response or "").startswith("\x1f\ufffd\x08")
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "head",
    [
        b"X-Big: " + b"x" * 1_000_000 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (n, b"x" * 4_000) for n in range(250)),
        b"".join(b"X-%d: x\r\n" % n for n in range(150)),
    ],
    ids=["one of 1 MB", "250 of 4 kB", "150 short ones"],
)
async def test_too_much_of_headers_is_a_failure(wire: HttpWire, head: bytes, way: Way) -> None:
    async with server(says(HEAD + head + b"\r\n"), way.tls) as asked:
        outcome, _ = await timed(wire, way.request(asked.url()), PLENTY)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("protocol: ")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "disconnected"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "disconnected"),
        (HEAD, "disconnected"),
        (HEAD + b"Content-Length: 10\r\n\r\nabc", "disconnected"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "disconnected"),
        (b"nonsense\r\n\r\n", "protocol"),
        (b"HTTP/9.9 abc\r\n\r\n", "protocol"),
        (b"HTTP/1.1 099 no\r\n\r\n", "protocol"),
        (b"\x16\x03\x01\x02\0\r\n\r\n", "protocol"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "protocol"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "protocol"),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "protocol"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "protocol"),
        (HEAD + b"no colon\r\n\r\n", "protocol"),
        (HEAD + b"X: \0\r\n\r\n", "protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "protocol"),
    ],
    ids=lambda value: value[:50].decode("latin-1").replace("\r\n", " ").strip() if isinstance(value, bytes) else value,
)
async def test_malformed_answers_are_typed_failures(wire: HttpWire, answer: bytes, error: str, way: Way) -> None:
    async with server(says(answer), way.tls) as asked:
        outcome, _ = await timed(wire, way.request(asked.url()), PLENTY)
    assert (outcome.kind, (outcome.error or "").partition(":")[0]) == ("failure", error)


async def test_a_reset_is_a_typed_failure(wire: HttpWire, way: Way) -> None:
    async with answering(None, tls=way.tls) as asked:
        outcome, _ = await timed(wire, way.request(asked.url()), PLENTY)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("disconnected")
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\nok", "ok"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n", "ok"),
        (HEAD + b"\r\nok", "ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + EMPTY, None),
        (HEAD + b"Content-Length: 0\r\nX-Folded: a\r\n b\r\n\r\n", None),
    ],
    ids=["length", "chunks", "until it closes", "HTTP/1.0", "no reason", "bare line feeds", "1xx first", "folded"],
)
async def test_every_way_to_say_a_body_is_understood(wire: HttpWire, answer: bytes, body: str | None, way: Way) -> None:
    async with answering(answer, tls=way.tls) as asked:
        outcome = await wire.send(way.request(asked.url()), PLENTY)
    assert (outcome.kind, outcome.status, outcome.response) == ("answer", 200, body)


@pytest.mark.parametrize(
    "status", [204, 301, 302, 303, 307, 308, 304, 399, 400, 401, 404, 410, 413, 429, 500, 599, 999]
)
async def test_every_status_is_reported_and_no_redirect_followed(wire: HttpWire, status: int) -> None:
    async with Partner() as partner:
        partner.rule("/", lambda _: Answer(status=status, headers=(("Location", "/elsewhere"), ("Set-Cookie", "a=1"))))
        for _ in range(2):
            outcome = await wire.send(get(partner.url("/i")), PLENTY)
            assert (outcome.kind, outcome.status) == ("answer", status)
    assert [request.target for request in partner.requests] == ["/i", "/i"]
    assert all(request.header("Cookie") is None for request in partner.requests)


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Cb?c=%2C&d=%20&e=%7B%7D",
        "/i?x=a,b",
        "/%F0%9F%8E%89?q=%00%0D%0A",
        "/i?a=1&a=2&b",
        "//x/../y?z=%zz",
        "/i?q=+%2B'\"{}<>\\^`|",
        "/i?big=" + "%C3%A9" * 11_000,
    ],
    ids=lambda target: target[:20],
)
async def test_the_bytes_on_the_wire_are_those_of_the_request(wire: HttpWire, target: str, way: Way) -> None:
    async with Partner(tls=way.tls) as partner:
        assert (await wire.send(way.request(partner.url(target)), PLENTY)).status == 200
    assert partner.requests[0].target == target


async def test_the_body_and_headers_go_out_as_they_are(wire: HttpWire, way: Way) -> None:
    body = '{"a":"ü \\r\\n {b}"}'.encode()
    async with Partner(tls=way.tls) as partner:
        await wire.send(get(partner.url("/p"), ("Content-Type", "application/json"), method="POST", body=body), PLENTY)
        await wire.send(get(partner.url("/g")), PLENTY)
    first, second = partner.requests
    assert (first.method, first.body, first.header("content-type")) == ("POST", body, "application/json")
    assert {name.lower() for name, _ in second.headers} == {"host", "idempotency-key", "user-agent", "accept"}


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\rb"])
async def test_a_header_cannot_be_injected(wire: HttpWire, value: str) -> None:
    async with Partner() as partner:
        outcome = await wire.send(get(partner.url("/i"), ("X-A", value)), PLENTY)
    assert (outcome.kind, outcome.error) == ("unsendable", "request: bad header")
    assert not partner.requests


async def test_no_failure_tells_anything_of_the_request(wire: HttpWire) -> None:
    secret = "s3cr3t"
    async with (
        answering(None, tls=certificates.server_context("self-signed")) as hostile,
        answering(b"no\r\n\r\n") as bad,
    ):
        urls = [
            *(asked.url(f"/i?key={secret}") for asked in (hostile, bad)),
            f"http://127.0.0.1:9/?key={secret}",
            f"http://10.0.0.1/?key={secret}",
            f"http://{secret}@h/",
            f"http://h/ {secret}",
            f"ftp://h/{secret}",
        ]
        outcomes = [await wire.send(get(url, ("X", secret)), PLENTY) for url in urls]
    assert all(outcome.error for outcome in outcomes)
    assert secret not in repr(outcomes)


async def test_the_environment_has_no_say(wire: HttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Partner() as partner:
        assert (await wire.send(get(partner.url("/i")), PLENTY)).status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_answer_before_the_request_is_written_counts(wire: HttpWire, scheme: str) -> None:
    """The connection does not: what is left of the request would be in the way of the next one."""
    refusing = says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", stay=True)
    async with server(refusing, Way(scheme, "POST").tls) as asked:
        large = get(asked.url(), method="POST", body=b"x" * 20_000_000)
        first, took = await timed(wire, large, PLENTY)
        second = await wire.send(get(asked.url()), PLENTY)
    assert (first.kind, first.status, took < 3.0) == ("answer", 413, True)
    assert (second.kind, second.reused) == ("answer", False)


@pytest.mark.parametrize("first", [b"", b"220 mail.example ESMTP\r\n", EMPTY], ids=["closes", "speaks", "answers"])
async def test_a_server_that_does_not_wait_for_the_request_is_a_typed_failure(
    wire: HttpWire, first: bytes, way: Way
) -> None:
    async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)

    async with server(unasked, way.tls) as asked:
        outcomes = [await wire.send(way.request(asked.url()), PLENTY) for _ in range(5)]
    for outcome in outcomes:
        # An answer that lies there when the request is written cannot be told from one to it.
        told = (outcome.error or "answer").partition(":")[0]
        assert told in {"disconnected", "protocol", "connect", "answer" if first == EMPTY else "protocol"}


async def test_each_phase_is_timed(wire: HttpWire, way: Way) -> None:
    async with server(says(HEAD + b"Content-Length: 4\r\n\r\nab", b"cd", pause=0.1), way.tls) as asked:
        first = await wire.send(way.request(asked.url(host="localhost")), PLENTY)
        literal = await wire.send(way.request(asked.url()), PLENTY)
    assert first.response == literal.response == "abcd"
    assert first.dns_ms is not None
    assert literal.dns_ms is None
    for outcome in (first, literal):
        assert outcome.address == f"127.0.0.1:{asked.port}"
        assert (outcome.tls_ms is None) == (way.scheme == "http")
        parts = (outcome.dns_ms or 0) + (outcome.connect_ms or 0) + (outcome.tls_ms or 0) + (outcome.first_byte_ms or 0)
        assert 90 < (outcome.duration_ms or 0) - parts < 1_000, "what is left is the body"


async def test_a_resolver_that_hangs_delays_nobody_else(wire: HttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def slow(host: str, *rest: object) -> object:
        if host.endswith(".example"):
            time.sleep(1)
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return real(host, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with Partner() as partner:
        hanging = [asyncio.create_task(timed(wire, get(f"http://h{n}.example/"), 300)) for n in range(20)]
        await asyncio.sleep(0.1)
        outcome, took = await timed(wire, get(f"http://localhost:{partner.port}/i"), 2_000)
        assert (outcome.status, took < 0.8) == (200, True)
        told = {(outcome.kind, outcome.error) for outcome, _ in await asyncio.gather(*hanging)}
        assert told == {("ours", "resolver: no answer in time")}


async def test_who_cannot_wait_for_a_name_does_not_keep_it_from_others(
    wire: HttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def slow(host: str, *rest: object) -> object:
        time.sleep(0.4)
        return real(host, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with Partner() as partner:
        url = f"http://localhost:{partner.port}/i"
        hasty, patient = await asyncio.gather(wire.send(get(url), 50), wire.send(get(url), PLENTY))
    assert (hasty.kind, hasty.error, patient.status) == ("ours", "resolver: no answer in time", 200)


async def test_a_name_is_looked_up_once_for_many_and_again_when_nobody_answers_there(
    wire: HttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def noted(host: str, *rest: object) -> object:
        asked.append(host)
        return real(host, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    async with Partner() as partner:
        url = f"http://localhost:{partner.port}/i"
        outcomes = await asyncio.gather(*(wire.send(get(url), PLENTY) for _ in range(10)))
        assert {outcome.status for outcome in outcomes} == {200}
    assert asked == ["localhost"]
    for _ in range(2):
        assert (await wire.send(get("http://localhost:9/i"), PLENTY)).kind == "failure"
    assert asked == ["localhost", "localhost", "localhost"]


async def test_a_refused_connection_is_a_failure(wire: HttpWire) -> None:
    outcome = await wire.send(get("http://127.0.0.1:9/"), PLENTY)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("connect:")


async def test_the_next_address_is_tried_when_the_first_does_not_answer(
    wire: HttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Partner() as partner:
        dead, alive = ("127.0.0.2", 9), ("127.0.0.1", partner.port)

        def several(*_: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in (dead, dead, alive)]

        monkeypatch.setattr(socket, "getaddrinfo", several)
        outcome = await wire.send(get("http://several.example/i"), PLENTY)
    assert (outcome.status, outcome.address) == (200, f"127.0.0.1:{partner.port}")


async def test_what_an_answer_said_before_it_broke_off_is_known(wire: HttpWire) -> None:
    """A limiter that cuts the body must hold the partner all the same."""
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 120\r\nContent-Length: 100\r\n\r\nslow down"
    async with server(says(head)) as asked:
        outcome = await wire.send(get(asked.url()), 2_000)
    assert (outcome.kind, outcome.status) == ("failure", 429)
    assert (outcome.retry_after, outcome.response) == ("120", "slow down")
