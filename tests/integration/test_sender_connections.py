"""Connections that are used again, and those that must not be: each request is written once, and each answer is its
own (D11, D12).
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from streams.delivery.http import connections
from streams.delivery.wire import HttpWire
from tests.support.talking import (
    BODY,
    EMPTY,
    HEAD,
    Server,
    Way,
    a_wire,
    answering,
    get,
    server,
    timed,
    whole_request,
)
from tests.support.waiting import eventually_async

PLENTY = 5_000


def shapes(asked: Server) -> list[int]:
    """How many requests each connection carried."""
    return [len(heard) for heard in asked.heard]


@pytest.mark.parametrize(
    "answer",
    [
        EMPTY,
        HEAD + b"Content-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: 6000\r\n\r\n" + b"x" * 6_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        HEAD + b"Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" + EMPTY,
    ],
)
async def test_a_connection_is_used_again_after_a_whole_answer(wire: HttpWire, answer: bytes, way: Way) -> None:
    async with answering(answer, answer, answer, tls=way.tls) as asked:
        outcomes = [await wire.send(way.request(asked.url()), PLENTY) for _ in range(3)]
    assert [outcome.kind for outcome in outcomes] == ["answer"] * 3
    assert [outcome.reused for outcome in outcomes] == [False, True, True]
    assert outcomes[2].connect_ms is outcomes[2].tls_ms is outcomes[2].dns_ms is None
    assert shapes(asked) == [3]


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 10000\r\n\r\n" + b"x" * 5_000,
        EMPTY + EMPTY,
        EMPTY + b"H",
        HEAD + b"Content-Length: 1\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        HEAD + b"Keep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_connection_is_not_used_again_where_the_next_answer_could_be_another_ones(
    wire: HttpWire, answer: bytes, way: Way
) -> None:
    async with answering(answer, answer, tls=way.tls) as asked:
        outcomes = [await wire.send(way.request(asked.url()), PLENTY) for _ in range(2)]
    assert [(outcome.kind, outcome.reused) for outcome in outcomes] == [("answer", False)] * 2
    assert outcomes[0].status == outcomes[1].status != 500
    assert shapes(asked) == [1, 1]


@pytest.mark.parametrize(("length", "again"), [(b"Content-Length: 9\r\n", True), (b"", True)])
async def test_the_answer_to_a_head_has_no_body_whatever_it_says(wire: HttpWire, length: bytes, again: bool) -> None:
    answer = HEAD + length + b"\r\n"
    async with answering(answer, answer) as asked:
        outcomes = [await wire.send(get(asked.url(), method="HEAD"), PLENTY) for _ in range(2)]
    assert [(outcome.status, outcome.response, outcome.reused) for outcome in outcomes] == [
        (200, None, False),
        (200, None, again),
    ]


async def test_what_comes_behind_an_answer_is_not_the_next_one(wire: HttpWire, way: Way) -> None:
    """It comes a moment later, so nothing was wrong with the answer itself."""
    late = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(EMPTY)
        await writer.drain()
        await late.wait()
        writer.write(b"HTTP/1.1 500 of nobody\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        late.clear()
        await reader.read()

    async with server(talk, way.tls) as asked:
        first = await wire.send(way.request(asked.url()), PLENTY)
        late.set()
        await eventually_async(lambda: not late.is_set(), every=0.002)
        second = await wire.send(way.request(asked.url()), PLENTY)
    assert (first.status, second.status, second.reused) == (200, 200, False)


async def test_a_request_is_written_once_when_a_kept_alive_connection_drops(wire: HttpWire, way: Way) -> None:
    async with answering(EMPTY, None, tls=way.tls) as asked:
        first, _ = await timed(wire, way.request(asked.url("/1")), PLENTY)
        second, _ = await timed(wire, way.request(asked.url("/2")), PLENTY)
    assert (first.kind, second.kind, second.reused) == ("answer", "failure", True)
    assert (second.error or "").startswith("disconnected")
    assert shapes(asked) == [2], "it was written again"


async def test_a_get_is_written_once_when_a_kept_alive_connection_drops(wire: HttpWire) -> None:
    """Closed without a word, in the moment in which the next request is on its way."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.heard.append([await whole_request(reader)])
        writer.write(EMPTY)
        asked.heard[-1].append(await reader.readexactly(1))

    async with server(talk) as asked:
        first, _ = await timed(wire, get(asked.url("/1")), PLENTY)
        second, _ = await timed(wire, get(asked.url("/2")), PLENTY)
    assert (first.kind, second.kind) == ("answer", "failure")
    assert shapes(asked) == [2], "it was written again"


async def test_a_connection_that_was_closed_meanwhile_costs_no_attempt(wire: HttpWire, way: Way) -> None:
    async with answering(EMPTY, tls=way.tls) as asked:
        for number in range(3):
            outcome = await wire.send(way.request(asked.url()), PLENTY)
            assert (outcome.kind, outcome.reused) == ("answer", False)
            assert len(asked.heard) == number + 1
            await eventually_async(lambda: not wire._connections.open, every=0.002)


async def test_nor_when_the_event_loop_was_too_busy_to_hear_of_it(wire: HttpWire, way: Way) -> None:
    closed = threading.Semaphore(0)

    def serve() -> None:
        for _ in range(3):
            connection, _ = listening.accept()
            speaking = way.tls.wrap_socket(connection, server_side=True) if way.tls else connection
            speaking.recv(10_000)
            speaking.sendall(EMPTY)
            speaking.close()
            closed.release()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        asked = Server(listening.getsockname()[1], way.scheme)
        for _ in range(3):
            outcome = await wire.send(way.request(asked.url()), PLENTY)
            assert (outcome.kind, outcome.reused) == ("answer", False)
            # The loop stands still meanwhile, longer than a connection is trusted unseen.
            assert closed.acquire(timeout=5)
            time.sleep(2 * connections.UNDOUBTED_SECONDS)  # noqa: ASYNC251
        serving.join()


async def test_who_closes_under_a_request_is_not_asked_on_a_used_connection_for_a_while(
    wire: HttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answering(EMPTY, None) as asked:
        outcomes = [await wire.send(get(asked.url()), PLENTY) for _ in range(6)]
        assert [outcome.kind for outcome in outcomes] == ["answer", "failure"] + ["answer"] * 4
        assert not any(outcome.reused for outcome in outcomes[2:])
        monkeypatch.setattr(connections, "WARY_SECONDS", 0.0)
        outcomes = [await wire.send(get(asked.url()), PLENTY) for _ in range(4)]
        assert [outcome.reused for outcome in outcomes] == [False, True, False, True]
    assert len(asked.requests) == 10


async def test_a_hundred_at_once_have_a_connection_each_and_keep_them(wire: HttpWire) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        asked.heard.append(heard)
        while True:
            heard.append(await whole_request(reader))
            await asyncio.sleep(0.05)
            name = heard[-1].split()[1]
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(name), name))

    async with server(talk) as asked:
        for _ in range(3):
            targets = [f"/{number}" for number in range(100)]
            outcomes = await asyncio.gather(*(wire.send(get(asked.url(target)), PLENTY) for target in targets))
            assert [outcome.response for outcome in outcomes] == targets
    assert shapes(asked) == [3] * 100


async def test_connections_that_nobody_needs_are_closed(wire: HttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.1)
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.02)
    async with answering(EMPTY, EMPTY) as asked:
        await wire.send(get(asked.url()), PLENTY)
        begun = time.monotonic()
        assert len(wire._connections.open) == 1
        await eventually_async(lambda: not wire._connections.open, every=0.01)
    assert time.monotonic() - begun >= 0.09


@pytest.mark.parametrize("talks", [True, False])
async def test_a_request_that_ran_out_of_time_leaves_no_connection(wire: HttpWire, way: Way, talks: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        while True:
            writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n" if talks else b"")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(talk, way.tls) as asked:
        outcome = await wire.send(way.request(asked.url()), 100)
        assert (outcome.kind, outcome.error, outcome.status) == ("failure", "timeout", 200 if talks else None)
        await eventually_async(lambda: not wire._connections.open, every=0.01)


async def test_whoever_waits_when_the_wire_closes_is_told() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.heard.append([await whole_request(reader)])
        await reader.read()

    async with a_wire() as wire, server(silent) as asked:
        waiting = asyncio.create_task(wire.send(get(asked.url(), method="POST", body=BODY), PLENTY))
        await eventually_async(lambda: asked.heard)
        await wire.close()
        assert (await waiting).error == "disconnected: Disconnected"
