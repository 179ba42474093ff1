"""One connection to a partner, and those that wait for the next request.

A connection carries one exchange at a time. Whatever a server does out of turn (more bytes than its answer has, an
end, an error) makes the connection useless for a further one, and nothing that was written is ever written again.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Protocol, cast

from .answers import Malformed, Reading, Unhurried
from .origins import Origin

#: As long a connection may wait for its next request, or a second less than the server says that it waits.
KEEPALIVE_SECONDS = 30.0
#: What has waited longer is looked at before it is used: the event loop may not have heard yet that it was closed.
UNDOUBTED_SECONDS = 0.001
SWEEP_SECONDS = 5.0
#: As long no connection is used twice to a server that closed one under a request: some close after every answer
#: without saying so, and each time a request would be lost on the way.
WARY_SECONDS = 30.0
READ_BYTES = 65_536
DISTRUSTED = 4_096
#: On TLS nobody tells how much of a request is written; up to so many bytes it makes no difference.
LONG_REQUEST = 65_536


class Disconnected(ConnectionError):
    """The connection ended before the answer was whole."""


class Asked(Protocol):
    """Who waits for an answer. One of the two is called, once, unless the connection is dropped before."""

    def answered(self) -> None:
        """The answer is whole."""
        ...

    def failed(self, error: Exception) -> None:
        """There is none: `Disconnected`, another OSError, or `Malformed`."""
        ...


class Connection(asyncio.BufferedProtocol):
    """`first_byte_at`: when the answer of the current exchange began (monotonic seconds), None before that.

    It reads into the buffer that all connections share, since each one is emptied at once: the other way asyncio makes
    256 KiB of memory ready for every few bytes that come in, which costs more than all the rest of an exchange.
    """

    __slots__ = (
        "_asked",
        "_connections",
        "_long",
        "_socket",
        "_tls",
        "_transport",
        "expires_at",
        "first_byte_at",
        "idle_since",
        "peer",
        "reading",
        "usable",
    )

    def __init__(self, connected: socket.socket, connections: Connections) -> None:
        self._socket = connected
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._asked: Asked | None = None
        self.reading = Reading(connections.unhurried, connections.loop)
        self.peer = _peer(connected)
        self.usable = self._long = self._tls = False
        self.idle_since = self.expires_at = 0.0
        self.first_byte_at: float | None = None

    def ask(self, request: bytes, bodiless: bool, asked: Asked) -> None:
        """Write a request at once, and tell `asked` of its answer: then `reading` holds it. Whoever does not wait for
        it any more must `drop` the connection, and is told nothing then.
        """
        transport = self._transport
        self.reading = Reading(self._connections.unhurried, self._connections.loop, bodiless)
        self.first_byte_at = None
        self._asked = asked
        self._long = len(request) > LONG_REQUEST
        if transport is None or not self.usable:
            # The server has ended it already; nothing is written.
            self._fail(Disconnected())
        else:
            transport.write(request)

    def stale(self, now: float) -> bool:
        """Whether the next request should not be written to it."""
        if not self.usable or now >= self.expires_at:
            return True
        return now - self.idle_since > UNDOUBTED_SECONDS and not _silent(self._socket)

    def drop(self) -> None:
        """Close it, whatever is under way."""
        self._asked = None
        self.abort()

    def abort(self) -> None:
        """Close it, and tell who waits for an answer."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close it in good order, between two exchanges."""
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Other loops' transports have the same methods, and not this class.
        self._transport = cast(asyncio.Transport, transport)
        self._tls = transport.get_extra_info("ssl_object") is not None
        self.usable = True
        self._connections.open.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._asked is None:
            # Nobody has asked for this, and it must not answer the next request.
            self.drop()
            return
        if self.first_byte_at is None:
            self.first_byte_at = time.monotonic()
        try:
            over = self.reading.feed(bytes(self._connections.buffer[:nbytes]))
        except Malformed as error:
            self._fail(error)
            return
        if over:
            self._answered()

    def eof_received(self) -> None:
        self.usable = False
        if self._asked is not None and self.reading.end():
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.open.discard(self)
        self._transport = None
        self._fail(exc or Disconnected())

    def _answered(self) -> None:
        asked, self._asked = self._asked, None
        transport = self._transport
        assert asked is not None
        # An answer that came before its request was written leaves the rest of that in the way of the next one.
        unwritten = transport is None or transport.get_write_buffer_size() or (self._tls and self._long)
        if not self.reading.clean or unwritten:
            self.drop()
        asked.answered()

    def _fail(self, error: Exception) -> None:
        asked, self._asked = self._asked, None
        self.drop()
        if asked is not None:
            asked.failed(error)


class Connections:
    """All connections, and of each origin those that can be used again, the last used first. Make it inside the running
    event loop.
    """

    def __init__(self, headers: bool = False) -> None:
        #: Whether the headers of answers are of interest.
        self.headers = headers
        # To ask for the loop that runs costs a system call.
        self.loop = asyncio.get_running_loop()
        self.open = set[Connection]()
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.unhurried = Unhurried(self.loop)
        self._idle = dict[Origin, list[Connection]]()
        self._distrusted = dict[Origin, float]()
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, origin: Origin, now: float) -> Connection | None:
        """One that can be asked at once, if there is any."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.stale(now):
                return connection
            connection.close()
        return None

    def give(self, origin: Origin, connection: Connection, now: float) -> None:
        """Take it back after a whole answer; when it cannot be used again, it is closed."""
        if not connection.usable:
            return
        if self._distrusted and now - self._distrusted.get(origin, -WARY_SECONDS) < WARY_SECONDS:
            connection.close()
            return
        said = connection.reading.patience
        patience = KEEPALIVE_SECONDS if said is None else said - 1.0
        connection.idle_since = now
        connection.expires_at = now + min(patience, KEEPALIVE_SECONDS)
        self._idle.setdefault(origin, []).append(connection)
        if self._sweep is None:
            self._sweep = self.loop.call_later(SWEEP_SECONDS, self._close_expired)

    def distrust(self, origin: Origin, now: float) -> None:
        """It closed a used connection instead of answering."""
        if len(self._distrusted) >= DISTRUSTED:
            self._distrusted.clear()
        self._distrusted[origin] = now
        for connection in self._idle.pop(origin, ()):
            connection.close()

    def shed(self) -> None:
        """Close all that wait: what they hold has become scarce."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    def close(self) -> None:
        """Close all; whoever waits for an answer is told that there is none."""
        if self._sweep is not None:
            self._sweep.cancel()
        self.shed()
        for connection in list(self.open):
            connection.abort()

    def _close_expired(self) -> None:
        now = time.monotonic()
        for origin, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.usable and now < connection.expires_at]
            for connection in set(idle).difference(kept):
                connection.close()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweep = self.loop.call_later(SWEEP_SECONDS, self._close_expired) if self._idle else None


def _silent(connected: socket.socket) -> bool:
    """Whether nothing has come in, not even the end. A word out of turn is none that could be understood."""
    try:
        connected.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        return False
    return False


def _peer(connected: socket.socket) -> str | None:
    try:
        address = connected.getpeername()
    except OSError:
        return None
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
