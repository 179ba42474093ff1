"""One HTTP request, once: the port that the sender sees, and its adapter on aiohttp.

What goes out is exactly what was asked for, and once: no redirects, no cookies, no resending on a kept-alive
connection that dropped, no decompression, no proxy from the environment. What comes back is bounded: in time over
everything, in headers, and in 4 KiB of body.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import Connection
from yarl import URL

from streams.templates.finish import Finished

from .egress import BLOCKED_ERRNO, Guard
from .outcome import Outcome

BODY_LIMIT = 4_096
#: No header line is longer, and there are no more of them.
HEADER_LINE_LIMIT = 8_190
HEADER_COUNT_LIMIT = 100
#: Names are looked up side by side, so that a name server that hangs does not keep the others waiting.
RESOLVER_THREADS = 64
KEEPALIVE_SECONDS = 30.0
USER_AGENT = "Ringback"

#: What has run out on this machine, not at the partner.
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETDOWN})


class Wire(Protocol):
    """Sends requests."""

    async def send(self, request: Finished, timeout_ms: int) -> Outcome:
        """Send `request` once and say what came of it; never raises but when cancelled. `timeout_ms` covers all from
        the look-up of the name to the last byte that is read. May be called any number of times at once."""
        ...

    async def close(self) -> None:
        """Drop all connections."""
        ...


class _Response(ClientResponse):
    """Remembers whom it is from: a short answer has given its connection back before anybody could ask."""

    peer: str | None = None
    connected_at: float = 0.0

    async def start(self, connection: Connection) -> ClientResponse:
        transport = connection.transport
        if transport is not None:
            peer = transport.get_extra_info("peername")
            self.peer = (
                f"[{peer[0]}]:{peer[1]}" if peer and ":" in peer[0] else f"{peer[0]}:{peer[1]}" if peer else None
            )
        self.connected_at = time.monotonic()
        return await super().start(connection)


class _Resolver(AbstractResolver):
    """The system's resolver in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of `host`. Raises OSError (gaierror)."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class AiohttpWire:
    """The wire on aiohttp's client. Make it inside the running event loop.

    `connector`: where connections come from when not from sockets, see `written`.
    """

    def __init__(
        self, guard: Guard, tls: ssl.SSLContext | None = None, connector: aiohttp.BaseConnector | None = None
    ) -> None:
        self._session = aiohttp.ClientSession(
            connector=_sockets(guard, tls) if connector is None else connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"User-Agent": USER_AGENT, "Accept": "*/*"},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            max_line_size=HEADER_LINE_LIMIT,
            max_field_size=HEADER_LINE_LIMIT,
            max_headers=HEADER_COUNT_LIMIT,
            read_bufsize=2 * BODY_LIMIT,
            response_class=_Response,
        )
        # aiohttp resends an idempotent request by itself when a kept-alive connection drops under it; its own test
        # client switches it off the same way. A partner must not see a request that no receipt knows of.
        self._session._retry_connection = False
        self._deadlines = _Deadlines()
        self._guard = guard

    async def send(self, request: Finished, timeout_ms: int) -> Outcome:
        """See `Wire.send`."""
        started = time.monotonic()
        deadline = self._deadlines.set(started + timeout_ms / 1000)
        response: _Response | None = None
        try:
            response = await self._request(request)
            text = await _body(response)
        except asyncio.CancelledError:
            if not deadline.passed:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            failed = Outcome("failure", response.status if response else None, "timeout")
            return failed._replace(duration_ms=_since(started), address=response.peer if response else None)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, TypeError, AssertionError) as error:
            failed = self._judged(_failure(error), request)
            return failed._replace(
                status=response.status if response else None,
                duration_ms=_since(started),
                address=response.peer if response else failed.address,
            )
        finally:
            self._deadlines.drop(deadline)
            if response is not None:
                response.release()
        return Outcome(
            "answer",
            response.status,
            None,
            response.headers.get("Retry-After"),
            _since(started),
            round((response.connected_at - started) * 1000, 2),
            response.peer,
            text,
        )

    def _judged(self, failed: Outcome, request: Finished) -> Outcome:
        """A number where the host should be (`127.1`) is refused before there is a socket; it is an address all the
        same.
        """
        if failed.kind != "unsendable":
            return failed
        try:
            address = socket.inet_ntoa(socket.inet_aton(URL(request.url, encoded=True).raw_host or ""))
        except (OSError, ValueError):
            return failed
        return failed if self._guard.permits(address) else Outcome("blocked", None, f"blocked: {address}")

    async def _request(self, request: Finished) -> _Response:
        response = await self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
        )
        assert isinstance(response, _Response)
        return response

    async def close(self) -> None:
        """See `Wire.close`."""
        self._deadlines.close()
        await self._session.close()


def _sockets(guard: Guard, tls: ssl.SSLContext | None) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        limit=0,  # the lanes limit
        ttl_dns_cache=30,
        ssl=tls if tls is not None else True,
        resolver=_Resolver(),
        socket_factory=guard.socket_factory,
        keepalive_timeout=KEEPALIVE_SECONDS,
    )


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 2)


async def _body(response: ClientResponse) -> str | None:
    """At most `BODY_LIMIT` bytes of the body; a connection that has more to say is closed."""
    content = response.content
    kept = b""
    while not content.at_eof():
        if len(kept) >= BODY_LIMIT:
            response.close()
            break
        kept += await content.read(BODY_LIMIT - len(kept))
        if not kept and content.at_eof():
            break
    return kept.decode("utf-8", "replace") if kept else None


def _failure(error: BaseException) -> Outcome:
    """What an exception of the client means, in the words of a receipt."""
    cause: BaseException = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    if number == BLOCKED_ERRNO:
        text = str(cause.strerror or cause) if isinstance(cause, OSError) else str(cause)
        return Outcome("blocked", None, text[text.find("blocked") :][:200])
    if isinstance(cause, socket.gaierror):
        if number in (socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM):
            return Outcome("ours", None, "resolver: temporary failure")
        return Outcome("failure", None, "dns: name does not resolve")
    if number in OURS:
        return Outcome("ours", None, f"resources: {errno.errorcode.get(number or 0, '')}")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | ssl.CertificateError):
        return Outcome("failure", None, f"tls: {_detail(cause)}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Outcome("failure", None, f"connect: {_detail(cause)}")
    if isinstance(error, aiohttp.InvalidURL | ValueError | TypeError | AssertionError):
        return Outcome("unsendable", None, f"request: {type(error).__name__}")
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError | aiohttp.ClientOSError):
        return Outcome("failure", None, f"disconnected: {_detail(cause)}")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return Outcome("failure", None, f"protocol: {_detail(error)}")
    return Outcome("failure", None, f"error: {type(error).__name__}")


def _detail(error: BaseException) -> str:
    """A short text without anything of the request: an URL may hold secrets."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)[:200]
    return type(error).__name__


class _Deadline:
    """The end of one request's time; `passed` when its task was cancelled for that."""

    __slots__ = ("passed", "slot", "task")

    def __init__(self, slot: int, task: asyncio.Task[Any]) -> None:
        self.slot = slot
        self.task = task
        self.passed = False


class _Deadlines:
    """One shared ticker for all deadlines: a timer of its own for each request costs more than the rest of its
    bookkeeping.
    """

    TICK = 0.05

    def __init__(self) -> None:
        self._slots: dict[int, set[_Deadline]] = {}
        self._looked = int(time.monotonic() / self.TICK)
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float) -> _Deadline:
        """Cancel the current task at `at` (monotonic seconds) unless the deadline is dropped before."""
        task = asyncio.current_task()
        assert task is not None
        deadline = _Deadline(max(int(at / self.TICK) + 1, self._looked + 1), task)
        self._slots.setdefault(deadline.slot, set()).add(deadline)
        if self._timer is None:
            self._looked = int(time.monotonic() / self.TICK)
            self._timer = asyncio.get_running_loop().call_later(self.TICK, self._tick)
        return deadline

    def drop(self, deadline: _Deadline) -> None:
        """The request is over."""
        if (slot := self._slots.get(deadline.slot)) is not None:
            slot.discard(deadline)

    def _tick(self) -> None:
        now = int(time.monotonic() / self.TICK)
        for slot in range(self._looked + 1, now + 1):
            for deadline in self._slots.pop(slot, ()):
                deadline.passed = True
                deadline.task.cancel()
        self._looked = max(now, self._looked)
        self._timer = asyncio.get_running_loop().call_later(self.TICK, self._tick) if self._slots else None

    def close(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
        self._slots.clear()
