"""The port that every process opens, for whoever can reach it: it tells three things, and does nothing for anybody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from streams import probes
from streams.metrics import Metrics

PATIENCE_S = 10.0
#: More than a server should take in that has no use for a body.
HUGE = 64 * 1024 * 1024

PATHS = (
    "/../../../../etc/passwd",
    "/metrics/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/metrics%00.html",
    "/healthz/../admin",
    "/admin",
    "/<script>alert(1)</script>",
    "http://169.254.169.254/latest/meta-data",
)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await probes.serve("127.0.0.1", 0, Metrics().registry, probes.Readiness())
    yield server.port
    await server.close()


async def asked(port: int, request: bytes) -> bytes:
    """All that comes back, until the server ends it; it is asked to."""

    def ask() -> bytes:
        answer = b""
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(request)
            with suppress(ConnectionResetError):
                while more := connection.recv(65_536):
                    answer += more
        return answer

    return await asyncio.to_thread(ask)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("path", PATHS)
async def test_no_path_leads_anywhere_else(port: int, path: str) -> None:
    answer = await asked(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) in (400, 404)
    assert b"root:" not in answer
    assert b"<script>" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_done_by_any_method(port: int, method: str) -> None:
    for path in ("/metrics", "/healthz", "/readyz"):
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        assert status(await asked(port, head.encode())) == 405


async def test_a_huge_body_is_refused_and_not_taken_in(port: int) -> None:
    def push() -> tuple[int, bytes]:
        head = f"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {HUGE}\r\nConnection: close\r\n\r\n"
        pushed, piece = 0, b"x" * 65_536
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(head.encode())
            answer = connection.recv(65_536)
            with suppress(OSError):
                while pushed < HUGE:
                    pushed += connection.send(piece)
        return pushed, answer

    pushed, answer = await asyncio.to_thread(push)
    assert status(answer) == 405
    assert pushed < HUGE
    await still_serves(port)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        lambda: b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500 + b"\r\n\r\n",
        lambda: b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        lambda: b"\r\n\r\n\0\0\0",
    ],
    ids=["long header", "long path", "TLS", "negative length", "zeros"],
)
async def test_what_is_no_request_ends_its_own_connection_only(port: int, request_of: Callable[[], bytes]) -> None:
    with suppress(ConnectionError):
        answer = await asked(port, request_of())
        assert answer == b"" or status(answer) == 400
    await still_serves(port)


async def still_serves(port: int) -> None:
    assert status(await asked(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == 200
