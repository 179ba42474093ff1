"""One HTTP request, once: the port that the sender sees, and its adapter on sockets.

What goes out is exactly what was asked for, and once: no redirects, no cookies, no resending on a kept-alive
connection that dropped, no decompression, no proxy from the environment. What comes back is bounded: in time over
everything, in headers, and in 4 KiB of body.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Protocol

from streams.templates.finish import Finished

from .deadlines import Deadlines
from .egress import Guard
from .http import failures, origins, requests
from .http.connections import Connections
from .http.dialling import Dialler
from .http.exchange import CLOSED, Exchange
from .outcome import Outcome

Over = Callable[[Outcome], None]


class Sending(Protocol):
    """A request under way."""

    def cancel(self) -> object:
        """Give it up; nobody is told of its end any more."""
        ...


class Wire(Protocol):
    """Sends requests."""

    def begin(self, request: Finished, timeout_ms: int, over: Over) -> Sending | None:
        """Send `request` once and call `over` with what came of it, once, in the event loop: at once when it cannot
        be sent at all (then there is nothing to cancel), and not when it was cancelled before.

        `timeout_ms` covers all from the look-up of the name to the last byte that is read. May be called any number
        of times at once.
        """
        ...

    async def close(self) -> None:
        """Drop all connections; whoever waits is told, and nothing is sent any more."""
        ...


class HttpWire:
    """The wire on TCP and TLS. Make it inside the running event loop.

    `tls`: whom to trust, and how; by default as the system does. Connections are kept for further requests to the same
    origin, as many as were needed at once: the lanes limit. `headers`: outcomes have those of the answer; the sender
    has no use for them.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext | None = None, headers: bool = False) -> None:
        self._connections = Connections(headers)
        self._dialler = Dialler(guard, tls or _trusting_the_system(), self._connections)
        self._deadlines = Deadlines()
        self._closed = False

    def begin(self, request: Finished, timeout_ms: int, over: Over) -> Sending | None:
        """See `Wire.begin`."""
        begun = time.monotonic()
        if self._closed:
            over(CLOSED)
            return None
        try:
            origin, target = origins.split(request.url)
            asked = requests.written(request, origin, target)
        except origins.Unsendable as error:
            over(failures.outcome(error, dialled=False))
            return None
        exchange = Exchange(self._connections, self._deadlines, origin, asked, request.method == "HEAD", over)
        exchange.begin(self._dialler, begun, begun + timeout_ms / 1000)
        return exchange

    async def send(self, request: Finished, timeout_ms: int) -> Outcome:
        """The same for one who waits; never raises but when cancelled."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def over(told: Outcome) -> None:
            # Whoever waits may have been cancelled in this turn of the loop, and not know it yet.
            if not outcome.done():
                outcome.set_result(told)

        sending = self.begin(request, timeout_ms, over)
        try:
            return await outcome
        except asyncio.CancelledError:
            if sending is not None:
                sending.cancel()
            raise

    async def close(self) -> None:
        """See `Wire.close`."""
        self._closed = True
        self._deadlines.close()
        self._dialler.close()
        self._connections.close()
        # Connections are told in the next turn of the loop that they are gone.
        await asyncio.sleep(0)


def _trusting_the_system() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
