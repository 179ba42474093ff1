"""A partner on the loopback address that records every request and answers as it is told: for the tests, the demo and
the benchmarks.

In a test: `async with Partner() as partner`, or `with in_thread() as partner` where no event loop turns. As a process
that writes one line per request, job id and target, and takes thousands a second: `python -m streams.local.partner
--port 0 --log FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from streams.errors import Stop
from streams.local.errors import StartFailed
from streams.local.exchange import OK, Answer, Request, body_of, head_of, take

HOST = "127.0.0.1"
FLUSH_SECONDS = 0.02
STANDARD_OUTPUT = Path("-")

#: Says how to answer a request.
Rule = Callable[[Request], Answer]


class Partner:
    """A recording HTTP server. What it received is in `requests`, in order of arrival, unless it was told not to `keep`
    them.

    The first rule for the longest path that a request's path begins with answers it; without one, `default` does.
    """

    def __init__(
        self,
        *,
        host: str = HOST,
        port: int = 0,
        log: Path | None = None,
        keep: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.requests: list[Request] = []
        self.count = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.default: Rule = lambda _request: OK
        self._rules: dict[str, Rule] = {}
        self._keep = keep
        self._tls = tls
        self._log_path = log
        self._lines: list[str] = []
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._flusher: asyncio.Task[None] | None = None

    def answer(self, path: str, *answers: Answer) -> None:
        """Answer requests whose path begins with `path`: one answer after the other, the last of them for ever."""
        left = list(answers)
        self.rule(path, lambda _request: left.pop(0) if len(left) > 1 else left[0])

    def rule(self, path: str, rule: Rule) -> None:
        """Let `rule` answer requests whose path begins with `path`."""
        self._rules = dict(sorted((self._rules | {path: rule}).items(), key=lambda each: -len(each[0])))

    def url(self, path: str = "/") -> str:
        """The address of `path` here."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}{path}"

    def job_ids(self) -> list[str | None]:
        """The job id of every request, in order of arrival."""
        return [request.job_id for request in self.requests]

    async def start(self) -> None:
        """Listen; `port` is the real one afterwards. Raises `StartFailed`."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self), self.host, self.port, ssl=self._tls, backlog=1024
            )
        except (OSError, OverflowError) as error:
            raise self._refused(error) from error
        self.port = self._server.sockets[0].getsockname()[1]
        if self._log_path:
            self._flusher = loop.create_task(self._flush_often(self._log_path))

    def _refused(self, error: Exception) -> StartFailed:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            return StartFailed(f"Port {self.port} is in use.", "Choose another port, or none to get a free one.")
        return StartFailed(f"{self.host}:{self.port} cannot be listened on: {error}", "Choose another host or port.")

    async def stop(self) -> None:
        """Close the port and every connection; the log is complete afterwards."""
        if self._server:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        if self._flusher:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        if self._log_path:
            self._flush(self._log_path)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def received(self, request: Request) -> Answer:
        """Record it, and say how to answer it."""
        self.count += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self._keep:
            self.requests.append(request)
        if self._log_path:
            self._lines.append(f"{request.job_id or '-'}\t{request.target}\n")
        for path, rule in self._rules.items():
            if request.target.startswith(path):
                return rule(request)
        return self.default(request)

    def opened(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    async def _flush_often(self, path: Path) -> None:
        while True:
            self._flush(path)
            await asyncio.sleep(FLUSH_SECONDS)

    def _flush(self, path: Path) -> None:
        lines, self._lines = self._lines, []
        if path == STANDARD_OUTPUT:
            print(*lines, sep="", end="", flush=True)
            return
        with path.open("a") as log:
            log.writelines(lines)


class _Connection(asyncio.Protocol):
    """One connection: requests are answered one after the other, also when they were pipelined."""

    numbers = 0

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._slow: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        _Connection.numbers += 1
        self._number = _Connection.numbers

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._partner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._partner.closed(self)
        if self._slow:
            self._slow.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """Reset the connection."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer_all()

    def _answer_all(self) -> None:
        """Answer what is whole in the buffer, up to a request whose answer takes time."""
        while self._slow is None and self._buffer:
            try:
                request = take(self._buffer)
            except ValueError as error:
                self.transport.write(
                    f"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nX-Why: {error}\r\n\r\n".encode()
                )
                self.transport.close()
                return
            if request is None:
                return
            request = msgspec.structs.replace(request, at=int(time.time() * 1000), connection=self._number)
            answer = self._partner.received(request)
            if answer.immediate:
                self.transport.write(head_of(answer, request.method) + body_of(answer, request.method))
                self._partner.in_flight -= 1
            else:
                self._slow = asyncio.get_running_loop().create_task(self._answer_slowly(answer, request.method))

    async def _answer_slowly(self, answer: Answer, method: str) -> None:
        """Give an answer that takes time or ends the connection."""
        try:
            await self._give(answer, method)
        finally:
            self._partner.in_flight -= 1
        self._slow = None
        if answer.ending == "close":
            self.transport.close()
        elif answer.ending == "reset":
            self.transport.abort()
        else:
            self._answer_all()

    async def _give(self, answer: Answer, method: str) -> None:
        if answer.ending == "hang":
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(answer.delay)
        head, body = head_of(answer, method), body_of(answer, method)
        if not answer.drip and not answer.endless:
            self.transport.write(head + body)
            return
        self.transport.write(head)
        pieces = [body[place : place + 1] for place in range(len(body))] if answer.drip else [body]
        while True:
            for piece in pieces:
                await self._writable.wait()
                self.transport.write(piece)
                await asyncio.sleep(answer.drip)
            if not answer.endless:
                return


@contextmanager
def in_thread(*, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Partner]:
    """A partner with an event loop of its own in a thread, for tests that have none. Set its rules and read its records
    from outside.
    """
    partner = Partner(tls=tls, port=port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="partner", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(partner.start(), loop).result(10)
    try:
        yield partner
    finally:
        asyncio.run_coroutine_threadsafe(partner.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def serve(port: int, log: Path | None, answers: Sequence[tuple[str, Answer]], host: str = HOST) -> int:
    """Serve until SIGINT or SIGTERM; returns the number of requests. Answers to the same path are given one after the
    other, the last of them for ever.
    """
    partner = Partner(host=host, port=port, log=log, keep=False)
    for path in dict.fromkeys(path for path, _ in answers):
        partner.answer(path, *(answer for of, answer in answers if of == path))
    return await until_ended(partner)


async def until_ended(partner: Partner) -> int:
    """Tell the address, and serve until SIGINT or SIGTERM; returns the number of requests. Raises `StartFailed`."""
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    async with partner:
        print(partner.url(), flush=True)
        await done.wait()
    return partner.count


def run(serving: Coroutine[Any, Any, int]) -> int:
    """Serve to the end and tell the number of requests, or why it cannot be; the exit status of the process."""
    try:
        print(asyncio.run(serving), "requests")
    except Stop as stop:
        print(stop, file=sys.stderr)
        return stop.exit_code
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a partner in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m streams.local.partner", description="A partner that records.")
    parser.add_argument("--host", default=HOST, help=f"the address to listen on (default: {HOST})")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    parser.add_argument(
        "--log",
        type=Path,
        help="a file that gets a line for each request: job id, tab, path and query; -: standard output",
    )
    parser.add_argument(
        "--answer",
        nargs=2,
        action="append",
        default=[],
        metavar=("PATH", "JSON"),
        help='how to answer requests below PATH, e.g. \'{"status": 503, "delay": 0.1}\' or \'{"ending": "hang"}\'; '
        "once more for the same PATH: its next answer, the last of them for ever",
    )
    options = parser.parse_args(arguments)
    try:
        answers = [(path, msgspec.json.decode(text, type=Answer)) for path, text in options.answer]
    except msgspec.MsgspecError as error:
        parser.error(f"--answer: {error}")
    return run(serve(options.port, options.log, answers, options.host))


if __name__ == "__main__":
    sys.exit(main())
