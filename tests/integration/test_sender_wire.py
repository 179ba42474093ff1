"""The wire on real sockets, against partners that do what they should not (D10–D12, D15–D18, D20, D21)."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from streams.delivery.egress import Guard
from streams.delivery.outcome import Outcome
from streams.delivery.wire import BODY_LIMIT, AiohttpWire
from streams.local.exchange import Answer
from streams.local.partner import Partner
from streams.templates.finish import Finished

LOOPBACK = Guard(["127.0.0.0/8", "::1/128"])
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def wire() -> AsyncIterator[AiohttpWire]:
    made = AiohttpWire(LOOPBACK)
    yield made
    await made.close()


@asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[str]:
    """A server that says whatever `talk` says; gives its base URL."""
    tasks = set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        for task in tasks:
            task.cancel()
        listening.close()


def says(*pieces: bytes, pause: float = 0.0, repeat: bool = False) -> Talk:
    """Read a head, then write the pieces, with a pause before each; `repeat` the last one for ever."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        while repeat:
            writer.write(pieces[-1])
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def get(url: str, *headers: tuple[str, str], method: str = "GET", body: bytes | None = None) -> Finished:
    return Finished(method, url, [("Idempotency-Key", "job-1"), *headers], body)


async def timed(wire: AiohttpWire, request: Finished, timeout_ms: int = 500) -> tuple[Outcome, float]:
    started = time.monotonic()
    outcome = await wire.send(request, timeout_ms)
    return outcome, time.monotonic() - started


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "talk",
    [
        says(pause=30.0, repeat=False),
        says(HEAD, b"X-Drip: a\r\n", pause=0.1, repeat=True),
        says(HEAD + b"Content-Length: 4000\r\n\r\n", b"x", pause=0.1, repeat=True),
        says(HEAD[:5], pause=30.0),
    ],
    ids=["silence", "headers drip", "body drips", "half a line"],
)
async def test_the_timeout_is_over_everything(wire: AiohttpWire, talk: Talk) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        await asyncio.sleep(30)

    async with server(hang) as url:
        outcome, took = await timed(wire, get(url + "/i"))
    assert (outcome.kind, outcome.error) == ("failure", "timeout")
    assert 0.45 <= took < 2.0


async def test_a_connection_that_is_never_accepted_times_out(wire: AiohttpWire) -> None:
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
    assert outcome.kind == "failure"
    assert took < 2.0


async def test_an_endless_body_is_cut(wire: AiohttpWire) -> None:
    async with server(says(HEAD + b"\r\n", b"x" * 65_536, repeat=True)) as url:
        tracemalloc.start()
        outcome, took = await timed(wire, get(url + "/i"), 5_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (outcome.kind, outcome.status) == ("answer", 200)
    assert len(outcome.response or "") == BODY_LIMIT
    assert took < 2.0
    assert peak < 5_000_000


async def test_a_compressed_body_is_not_unpacked(wire: AiohttpWire) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with server(says(head + bomb)) as url:
        tracemalloc.start()
        outcome, _ = await timed(wire, get(url + "/i"), 5_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome.status == 200
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "head",
    [b"X-Big: " + b"x" * 1_000_000 + b"\r\n", b"".join(b"X-%d: %s\r\n" % (n, b"x" * 4_000) for n in range(250))],
    ids=["one of 1 MB", "250 of 4 kB"],
)
async def test_a_megabyte_of_headers_is_a_failure(wire: AiohttpWire, head: bytes) -> None:
    async with server(says(HEAD + head + b"\r\n")) as url:
        outcome, _ = await timed(wire, get(url + "/i"), 5_000)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("protocol")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\nabc",
        HEAD + b"Content-Length: -1\r\n\r\n",
    ],
    ids=["nothing", "nonsense", "bad status line", "too short", "bad length"],
)
async def test_malformed_answers_are_typed_failures(wire: AiohttpWire, answer: bytes) -> None:
    async with server(says(answer)) as url:
        outcome, _ = await timed(wire, get(url + "/i"), 3_000)
    assert outcome.kind == "failure"
    assert (outcome.error or "").partition(":")[0] in {"protocol", "disconnected"}


async def test_a_reset_is_a_typed_failure(wire: AiohttpWire) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with server(reset) as url:
        outcome, _ = await timed(wire, get(url + "/i"))
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("disconnected")


async def test_a_get_is_written_once_when_a_kept_alive_connection_drops(wire: AiohttpWire) -> None:
    seen: list[bytes] = []

    async def drop_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.transport.abort()

    async with server(drop_the_second) as url:
        first, _ = await timed(wire, get(url + "/1"))
        second, _ = await timed(wire, get(url + "/2"))
        await asyncio.sleep(0.1)
    assert (first.kind, second.kind) == ("answer", "failure")
    assert len(seen) == 2, "the client sent it again by itself"


@pytest.mark.parametrize("status", [204, 301, 302, 303, 307, 308, 304, 399, 429, 500, 599, 999])
async def test_every_status_is_reported_and_no_redirect_followed(wire: AiohttpWire, status: int) -> None:
    async with Partner() as partner:
        partner.rule("/", lambda _: Answer(status=status, headers=(("Location", "/elsewhere"), ("Set-Cookie", "a=1"))))
        for _ in range(2):
            outcome = await wire.send(get(partner.url("/i")), 2_000)
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
        "/i?q=+%2B",
    ],
)
async def test_the_bytes_on_the_wire_are_those_of_the_request(wire: AiohttpWire, target: str) -> None:
    async with Partner() as partner:
        assert (await wire.send(get(partner.url(target)), 2_000)).status == 200
    assert partner.requests[0].target == target


async def test_the_body_and_headers_go_out_as_they_are(wire: AiohttpWire) -> None:
    body = '{"a":"ü \\r\\n {b}"}'.encode()
    async with Partner() as partner:
        await wire.send(get(partner.url("/p"), ("Content-Type", "application/json"), method="POST", body=body), 2_000)
        await wire.send(get(partner.url("/g")), 2_000)
    first, second = partner.requests
    assert (first.method, first.body, first.header("content-type")) == ("POST", body, "application/json")
    assert {name.lower() for name, _ in second.headers} == {"host", "idempotency-key", "user-agent", "accept"}


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
async def test_a_header_cannot_be_injected(wire: AiohttpWire, value: str) -> None:
    async with Partner() as partner:
        outcome = await wire.send(get(partner.url("/i"), ("X-A", value)), 2_000)
    assert outcome.kind == "unsendable"
    assert not partner.requests


async def test_the_environment_has_no_say(wire: AiohttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Partner() as partner:
        assert (await wire.send(get(partner.url("/i")), 2_000)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "localhost",
        "0.0.0.0",
    ],
)
async def test_nothing_but_public_addresses_is_dialled(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    real = socket.socket.connect

    def noted(self: socket.socket, to: object) -> None:
        connected.append(to)
        real(self, to)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", noted)
    wire = AiohttpWire(Guard())
    try:
        outcome = await wire.send(get(f"http://{host}:9/i"), 3_000)
    finally:
        await wire.close()
    assert outcome.kind == "blocked", outcome
    assert (outcome.error or "").startswith("blocked: ")
    assert not connected


async def test_a_name_that_changes_between_check_and_use_is_judged_by_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [("93.184.216.34", 80), ("127.0.0.1", 80)]

    def rebinding(*_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers[-1])]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    wire = AiohttpWire(Guard())
    try:
        outcome = await wire.send(get("http://rebinding.example/i"), 2_000)
    finally:
        await wire.close()
    assert (outcome.kind, outcome.error) == ("blocked", "blocked: 127.0.0.1")


async def test_a_resolver_that_hangs_delays_nobody_else(wire: AiohttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def slow(host: str, *rest: object) -> object:
        if host.endswith(".example"):
            time.sleep(2)
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return real(host, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with Partner() as partner:
        hanging = [asyncio.create_task(timed(wire, get(f"http://h{n}.example/"), 500)) for n in range(20)]
        await asyncio.sleep(0.1)
        outcome, took = await timed(wire, get(f"http://localhost:{partner.port}/i"), 2_000)
        assert (outcome.status, took < 1.0) == (200, True)
        assert {(await task)[0].error for task in hanging} == {"timeout"}


async def test_a_name_that_does_not_exist_is_a_failure_and_a_resolver_that_is_down_is_ours(
    wire: AiohttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, kind in ((socket.EAI_NONAME, "failure"), (socket.EAI_AGAIN, "ours")):

        def fails(*_: object, number: int = number) -> object:
            raise socket.gaierror(number, "no")

        monkeypatch.setattr(socket, "getaddrinfo", fails)
        assert (await wire.send(get(f"http://n{number}.example/"), 2_000)).kind == kind


async def test_no_file_descriptors_is_ours(wire: AiohttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("streams.delivery.egress.socket.socket", exhausted)
    outcome = await wire.send(get("http://127.0.0.1:9/"), 2_000)
    assert (outcome.kind, outcome.error) == ("ours", "resources: EMFILE")


async def test_a_refused_connection_is_a_failure(wire: AiohttpWire) -> None:
    outcome = await wire.send(get("http://127.0.0.1:9/"), 2_000)
    assert outcome.kind == "failure"
    assert (outcome.error or "").startswith("connect:")
