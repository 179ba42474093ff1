"""A server that is much faster than any sender, so that the sender is what is measured: `python -m
tests.benchmarks.delivery.target --samples FILE`.

One thread over epoll, without a framework. It listens on so many loopback addresses, one for each partner, prints its
port, and remembers of each request when it arrived, its lane and number, and how it was answered; `/-/dump` writes that
to the file. `/-/set/<lane>/<kind>/<ms>/<limit>` changes how it treats a lane, `/-/count` and `/-/count/<lane>` tell how
many have arrived.
"""

from __future__ import annotations

import argparse
import gc
import select
import socket
import time
from collections import deque
from pathlib import Path

from tests.benchmarks.delivery.behaviour import ANSWERS, Behaviour, address, ordered, take
from tests.benchmarks.delivery.samples import Samples

#: Connections that may wait to be accepted.
BACKLOG = 4_096
#: More than a request of any suite has.
CHUNK = 65_536
#: Seconds that nothing happens for at most.
LONGEST_WAIT = 1.0


class _Connection:
    __slots__ = ("closed", "pending", "socket")

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self.pending = b""
        self.closed = False


class Target:
    """The server. `run` returns when it was told to by a signal."""

    def __init__(self, hosts: int, port: int, latency: float, samples: Path) -> None:
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        self._connections: dict[int, _Connection] = {}
        self._latency = latency
        self._lanes: dict[int, Behaviour] = {}
        self._counts: dict[int, int] = {}
        #: By latency, since within one latency answers are due in the order of their requests.
        self._late: dict[float, deque[tuple[float, _Connection, bytes]]] = {}
        self._samples, self._file = Samples(), samples
        self.port = port
        for lane in range(hosts):
            self._listen(address(lane))

    def _listen(self, host: str) -> None:
        listener = socket.create_server((host, self.port), backlog=BACKLOG)
        listener.setblocking(False)
        self.port = self.port or listener.getsockname()[1]
        self._listeners[listener.fileno()] = listener
        self._epoll.register(listener, select.EPOLLIN)

    def run(self) -> None:
        """Serve for ever."""
        while True:
            for number, _ in self._epoll.poll(self._wait()):
                listener = self._listeners.get(number)
                if listener is not None:
                    self._accept(listener)
                elif (connection := self._connections.get(number)) is not None:
                    self._read(number, connection)
            if self._late:
                self._answer_late()

    def _wait(self) -> float:
        heads = [waiting[0][0] for waiting in self._late.values() if waiting]
        return min(LONGEST_WAIT, max(0.0, min(heads) - time.time())) if heads else LONGEST_WAIT

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                made, _ = listener.accept()
            except BlockingIOError:
                return
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[made.fileno()] = _Connection(made)
            self._epoll.register(made, select.EPOLLIN)

    def _read(self, number: int, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(number, connection)
            return
        data = connection.pending + data
        start = 0
        while start < len(data) and (found := take(data, start)) is not None:
            start = found.end
            self._serve(number, connection, found.path)
            if connection.closed:
                return
        connection.pending = data[start:]

    def _serve(self, number: int, connection: _Connection, path: bytes) -> None:
        lane_text, _, rest = path.partition(b"/")
        if lane_text == b"-":
            self._order(connection, rest.decode().split("/"))
            return
        now, lane = time.time(), int(lane_text)
        behaviour = self._lanes.get(lane)
        if behaviour is None:
            behaviour = self._lanes[lane] = Behaviour(latency=self._latency)
        status = behaviour.status(now)
        self._counts[lane] = self._counts.get(lane, 0) + 1
        self._samples.add(now, lane, int(rest), status)
        if status and not behaviour.latency:
            self._send(connection, ANSWERS[status])
        elif status:
            waiting = self._late.setdefault(behaviour.latency, deque())
            waiting.append((now + behaviour.latency, connection, ANSWERS[status]))
        elif behaviour.kind == "close":
            self._close(number, connection)

    def _answer_late(self) -> None:
        now = time.time()
        for waiting in self._late.values():
            while waiting and waiting[0][0] <= now:
                _, connection, answer = waiting.popleft()
                self._send(connection, answer)

    def _order(self, connection: _Connection, words: list[str]) -> None:
        answer = ""
        if words[0] == "set":
            lane, behaviour = ordered(words)
            self._lanes[lane] = behaviour
        elif words[0] == "dump":
            self._samples.write(self._file)
        elif words[0] == "count":
            answer = str(self._counts.get(int(words[1]), 0) if len(words) > 1 else sum(self._counts.values()))
        self._send(connection, f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())

    def _send(self, connection: _Connection, answer: bytes) -> None:
        # An answer is short: it fits into the socket's buffer, or the other end reads nothing any more.
        if not connection.closed:
            try:
                connection.socket.send(answer)
            except OSError:
                self._close(connection.socket.fileno(), connection)

    def _close(self, number: int, connection: _Connection) -> None:
        connection.closed = True
        self._epoll.unregister(connection.socket)
        self._connections.pop(number, None)
        connection.socket.close()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--samples", type=Path, required=True, help="where `/-/dump` writes to")
    parser.add_argument("--hosts", type=int, default=1, help="loopback addresses to listen on")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    target = Target(arguments.hosts, arguments.port, arguments.latency, arguments.samples)
    gc.disable()
    print(target.port, flush=True)
    target.run()


if __name__ == "__main__":
    main()
