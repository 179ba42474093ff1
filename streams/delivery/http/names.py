"""From the name of a host to addresses: the system's resolver, in threads of its own, with a short memory."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from .origins import Origin, Unsendable

#: Names are looked up side by side, so that a name server that hangs does not keep the others waiting.
RESOLVER_THREADS = 64
REMEMBERED_SECONDS = 30.0
REMEMBERED = 4_096

#: As `getaddrinfo` gives it: family, type, protocol, canonical name, address.
Info = tuple[Any, ...]


class Names:
    """Looks names up, each one once at a time. Make it inside the running event loop."""

    def __init__(self) -> None:
        self._threads = _Threads()
        self._known = dict[Origin, tuple[float, list[Info]]]()
        self._asked = dict[Origin, asyncio.Future[list[Info]]]()

    def known(self, origin: Origin) -> list[Info] | None:
        """The addresses without a look-up: when the host is one, or was looked up lately."""
        literal = _literal(origin)
        if literal is not None:
            return [literal]
        until, infos = self._known.get(origin, (0.0, None))
        return infos if time.monotonic() < until else None

    async def look_up(self, origin: Origin) -> list[Info]:
        """The addresses. Raises OSError (gaierror) or `Unsendable`."""
        asked = self._asked.get(origin)
        if asked is None:
            asked = self._threads.ask(origin)
            self._asked[origin] = asked
            asked.add_done_callback(lambda done: self._remember(origin, done))
        # Others may wait for the same answer when this one has no more time.
        return await asyncio.shield(asked)

    def _remember(self, origin: Origin, asked: asyncio.Future[list[Info]]) -> None:
        """Also when nobody waits any more: the next one need not."""
        self._asked.pop(origin, None)
        if asked.cancelled() or asked.exception() is not None:
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[origin] = (time.monotonic() + REMEMBERED_SECONDS, asked.result())

    def forget(self, origin: Origin) -> None:
        """Nobody answers at these addresses: the next one to ask looks the name up again."""
        self._known.pop(origin, None)

    def close(self) -> None:
        """Start no more look-ups. Does not wait for those under way."""
        self._threads.close()


class _Threads:
    """Make them inside the running event loop. Those of an executor would keep the process from ending: a name server
    may hang for long.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[tuple[Origin, asyncio.Future[list[Info]]] | None] = SimpleQueue()
        self._started = 0
        self._open = 0

    def ask(self, origin: Origin) -> asyncio.Future[list[Info]]:
        """What `_ask` returns or raises."""
        answer: asyncio.Future[list[Info]] = self._loop.create_future()
        self._open += 1
        if self._started < min(self._open, RESOLVER_THREADS):
            threading.Thread(target=self._answer_all, name=f"resolver-{self._started}", daemon=True).start()
            self._started += 1
        self._waiting.put((origin, answer))
        return answer

    def _answer_all(self) -> None:
        while (one := self._waiting.get()) is not None:
            origin, answer = one
            infos, error = list[Info](), None
            try:
                infos = _ask(origin)
            except Exception as raised:
                error = raised
            # The loop may be gone by now.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell, answer, infos, error)

    def _tell(self, answer: asyncio.Future[list[Info]], infos: list[Info], error: Exception | None) -> None:
        self._open -= 1
        if answer.done():
            return
        if error is None:
            answer.set_result(infos)
        else:
            answer.set_exception(error)

    def close(self) -> None:
        """End those that have nothing to do, and the others when they have."""
        with contextlib.suppress(Empty):
            while True:
                self._waiting.get_nowait()
        for _ in range(self._started):
            self._waiting.put(None)


def _ask(origin: Origin) -> list[Info]:
    """In a thread. Raises OSError, a gaierror only when it is the resolver's own word, or `Unsendable`."""
    try:
        return list(socket.getaddrinfo(origin.host, origin.port, 0, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG))
    except UnicodeError:
        raise Unsendable("bad URL") from None
    except socket.gaierror:
        # Without file descriptors the C library says of every name that there is none such.
        socket.socket(socket.AF_UNIX).close()
        raise
    except OSError as error:
        raise socket.gaierror(socket.EAI_SYSTEM, "the resolver failed") from error


def _literal(origin: Origin) -> Info | None:
    """The address that the host is, in whatever way it is written: `2130706433`, `0x7f.1` and `0177.0.0.1` are one to
    every browser, to curl and to the system's resolver.
    """
    host, port = origin.host, origin.port
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise Unsendable("bad URL") from None
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port, 0, 0)
    if not host[-1].isalnum() or not host[0].isdigit():
        return None
    try:
        packed = socket.inet_aton(host)
    except OSError:
        return None
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (socket.inet_ntoa(packed), port)
