"""What the tests of the wire share: servers that say anything at all, on plain connections and on TLS, and requests to
them.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streams.delivery.egress import Guard
from streams.delivery.outcome import Outcome
from streams.delivery.wire import HttpWire
from streams.templates.finish import Finished
from tests.support import certificates

LOOPBACK = Guard(["127.0.0.0/8", "::1/128"])
HEAD = b"HTTP/1.1 200 OK\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
BODY = b'{"event":"install"}'

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Way:
    """How to ask: by which scheme, with which method."""

    scheme: str
    method: str

    @property
    def tls(self) -> ssl.SSLContext | None:
        return certificates.server_context("good") if self.scheme == "https" else None

    def request(self, url: str) -> Finished:
        return get(url, method=self.method, body=BODY if self.method == "POST" else None)


WAYS = [Way(scheme, method) for scheme in ("http", "https") for method in ("GET", "POST")]


def named(way: Way) -> str:
    """For the name of a test."""
    return f"{way.scheme} {way.method}"


@dataclass
class Server:
    """What a server heard: of each connection the requests, in order."""

    port: int = 0
    scheme: str = "http"
    heard: list[list[bytes]] = field(default_factory=list)

    @property
    def requests(self) -> list[bytes]:
        """All of them."""
        return [request for connection in self.heard for request in connection]

    def url(self, target: str = "/i", host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"{self.scheme}://{host}:{self.port}{target}"


@asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that says whatever `talk` says, on every connection from the beginning."""
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

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield Server(listening.sockets[0].getsockname()[1], "https" if tls else "http")
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def answering(*answers: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that hears whole requests: on each connection it says one of the answers after the other, then closes;
    with None it resets the connection instead.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        made.heard.append(heard)
        for answer in answers:
            heard.append(await whole_request(reader))
            if answer is None:
                writer.transport.abort()
                return
            writer.write(answer)
            await writer.drain()

    async with server(talk, tls) as made:
        yield made


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    """A head, and as much body as it declares."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, declared, rest = head.partition(b"Content-Length: ")
    return head + await reader.readexactly(int(rest.partition(b"\r\n")[0]) if declared else 0)


def says(*pieces: bytes, pause: float = 0.0, repeat: bool = False, stay: bool = False) -> Talk:
    """Read a head, then write the pieces, with a pause after each; `repeat` the last one for ever; `stay` behind the
    last one instead of closing.
    """

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
        if stay:
            await asyncio.sleep(5)

    return talk


def get(url: str, *headers: tuple[str, str], method: str = "GET", body: bytes | None = None) -> Finished:
    """A request, a GET if nothing else is said."""
    return Finished(method, url, [("Idempotency-Key", "job-1"), *headers], body)


async def timed(wire: HttpWire, request: Finished, timeout_ms: int = 500) -> tuple[Outcome, float]:
    """The outcome, and the seconds until it was there."""
    begun = time.monotonic()
    outcome = await wire.send(request, timeout_ms)
    return outcome, time.monotonic() - begun


@asynccontextmanager
async def a_wire(guard: Guard = LOOPBACK) -> AsyncIterator[HttpWire]:
    """A wire that trusts the tests' authority."""
    made = HttpWire(guard, certificates.trusting())
    try:
        yield made
    finally:
        await made.close()
