"""A partner that costs next to nothing: it answers every whole request with the same few bytes and keeps the
connection, so that what a benchmark measures is the sender.

As a process of its own: `python -m tests.benchmarks.target --port 8099 --latency 50`; in a benchmark:
`with target(latency=50) as url`. It reads of a request only where it ends, a `Content-Length` included;
`Transfer-Encoding` it does not know.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator

HOST = "127.0.0.1"
BODY = b'{"ok":true}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: target\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
READ = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


def whole(waiting: bytes) -> tuple[int, bytes]:
    """How many requests are whole in these bytes, and what is left behind them."""
    found = start = 0
    while (end := waiting.find(b"\r\n\r\n", start)) >= 0:
        length = _LENGTH.search(waiting, start, end)
        over = end + 4 + (int(length[1]) if length else 0)
        if over > len(waiting):
            break
        found, start = found + 1, over
    return found, waiting[start:]


class Target:
    """Serves from the thread that calls `serve`. `latency`: milliseconds from a whole request to its answer."""

    def __init__(self, port: int = 0, latency: float = 0.0) -> None:
        self._listening = socket.create_server((HOST, port), backlog=4_096)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._latency = latency / 1_000
        self._poll = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._halves: dict[int, bytes] = {}
        #: When, to whom, how many answers: in the order of time, since all wait equally long.
        self._due: deque[tuple[float, socket.socket, int]] = deque()

    def serve(self, until: int | None = None) -> None:
        """Answer until there is something to read, or nobody left to write, at the file descriptor `until`."""
        poll, listening = self._poll, self._listening.fileno()
        poll.register(listening, select.EPOLLIN)
        if until is not None:
            poll.register(until, select.EPOLLIN)
        while True:
            for number, _ in poll.poll(self._wait()):
                if number == listening:
                    self._accept()
                elif number == until:
                    return
                else:
                    self._read(number)
            self._answer_due()

    def _wait(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                made, _ = self._listening.accept()
                made.setblocking(False)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[made.fileno()] = made
                self._poll.register(made.fileno(), select.EPOLLIN)

    def _read(self, number: int) -> None:
        connection = self._connections[number]
        try:
            data = connection.recv(READ)
        except OSError:
            data = b""
        if not data:
            self._halves.pop(number, None)
            self._connections.pop(number).close()
            return
        count, left = whole(self._halves.pop(number, b"") + data)
        if left:
            self._halves[number] = left
        if count and self._latency:
            self._due.append((time.monotonic() + self._latency, connection, count))
        elif count:
            _answer(connection, count)

    def _answer_due(self) -> None:
        now = time.monotonic() if self._due else 0.0
        while self._due and self._due[0][0] <= now:
            _, connection, count = self._due.popleft()
            _answer(connection, count)


def _answer(connection: socket.socket, count: int) -> None:
    # Whoever asks so much more than they read, or has gone, goes without.
    with contextlib.suppress(OSError):
        connection.send(ANSWER * count)


@contextlib.contextmanager
def target(latency: float = 0.0) -> Iterator[str]:
    """A target in a process of its own, which also ends when this one is gone; gives its base URL."""
    command = [sys.executable, "-m", "tests.benchmarks.target", "--latency", str(latency), "--until-input"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://{HOST}:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def main() -> None:
    """Print the port, then serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.target", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before each answer")
    parser.add_argument("--until-input", action="store_true", help="end when standard input says anything, or ends")
    given = parser.parse_args()
    serving = Target(given.port, given.latency)
    print(serving.port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        serving.serve(sys.stdin.fileno() if given.until_input else None)


if __name__ == "__main__":
    main()
