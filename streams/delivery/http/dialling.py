"""A new connection: look the name up, connect to the address that answers first, agree on TLS."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable

from streams.delivery.egress import Blocked, Guard

from .connections import Connection, Connections
from .failures import is_ours
from .names import Info, Names
from .origins import Origin

#: As long one address is waited for before the next one is tried beside it (RFC 8305 §5).
NEXT_ADDRESS_SECONDS = 0.25
#: As long a server may take to say goodbye on TLS.
GOODBYE_SECONDS = 1.0


class Phases:
    """How long each part of dialling took, in milliseconds; None: there was none, or it is not over."""

    __slots__ = ("connect_ms", "dns_ms", "looking_up", "tls_ms")

    def __init__(self) -> None:
        #: Whether the name is being looked up.
        self.looking_up = False
        self.dns_ms: float | None = None
        self.connect_ms: float | None = None
        self.tls_ms: float | None = None


class Dialler:
    """Makes connections to whom the guard permits. Make it inside the running event loop."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext, connections: Connections) -> None:
        self._guard = guard
        self._tls = tls
        self._connections = connections
        self._names = Names()

    async def dial(self, origin: Origin, phases: Phases) -> Connection:
        """Connect; `phases` are filled in as they are over. When it is cancelled, nothing stays open.

        Raises OSError (`Blocked`, gaierror, SSLError among them) or `Unsendable`.
        """
        begun = time.monotonic()
        infos = self._names.known(origin)
        if infos is None:
            phases.looking_up = True
            infos = await self._names.look_up(origin)
            phases.looking_up, phases.dns_ms = False, since(begun)
        begun = time.monotonic()
        try:
            connected = await self._first(infos)
        except OSError as error:
            # What ran out here says nothing of the addresses, and a look-up needs it too.
            if not is_ours(error):
                self._names.forget(origin)
            raise
        phases.connect_ms = since(begun)
        connection = Connection(connected, self._connections)
        begun = time.monotonic()
        await self._attach(connection, connected, origin)
        if origin.tls:
            phases.tls_ms = since(begun)
        return connection

    def close(self) -> None:
        """Dial no more."""
        self._names.close()

    async def _attach(self, connection: Connection, connected: socket.socket, origin: Origin) -> None:
        loop = asyncio.get_running_loop()
        if not origin.tls:
            await loop.create_connection(lambda: connection, sock=connected)
            return
        await loop.create_connection(
            lambda: connection,
            sock=connected,
            ssl=self._tls,
            server_hostname=origin.host.rstrip("."),
            ssl_shutdown_timeout=GOODBYE_SECONDS,
        )

    async def _first(self, infos: list[Info]) -> socket.socket:
        """The address that answers first, each one tried a moment after the one before it."""
        if len(infos) == 1:
            return await self._attempt(infos[0])
        left = deque(_alternating(infos))
        running = set[asyncio.Task[socket.socket]]()
        errors: list[BaseException] = []
        try:
            while left or running:
                if left:
                    running.add(asyncio.create_task(self._attempt(left.popleft())))
                wait = NEXT_ADDRESS_SECONDS if left else None
                done, _ = await asyncio.wait(running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    running.discard(task)
                    error = task.exception()
                    if error is None:
                        return task.result()
                    errors.append(error)
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_discard)
        raise _telling(errors)

    async def _attempt(self, info: Info) -> socket.socket:
        made = self._guard.socket_factory(info)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, info[4])
        except BaseException:
            made.close()
            raise
        return made


def since(begun: float) -> float:
    """Milliseconds from a moment (monotonic seconds) until now."""
    return round((time.monotonic() - begun) * 1000, 2)


def _alternating(infos: list[Info]) -> Iterable[Info]:
    """The addresses with their families in turn, the preferred one first."""
    families: dict[object, list[Info]] = {}
    for info in infos:
        families.setdefault(info[0], []).append(info)
    return (info for turn in itertools.zip_longest(*families.values()) for info in turn if info is not None)


def _telling(errors: list[BaseException]) -> BaseException:
    """Of the failures of all addresses the one to report: what is ours before what is theirs, and that one was blocked
    only when no other could be tried.
    """
    ours = (error for error in errors if is_ours(error))
    theirs = (error for error in errors if not isinstance(error, Blocked))
    return next(ours, None) or next(theirs, None) or errors[0]


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """It was not needed any more; it may have connected all the same."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
