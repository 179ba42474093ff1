"""How the target treats the requests of a lane, and what of a request it must know for that. Pure.

A request's path is `/<lane>/<number>?…`; what begins with `/-/` is an order to the target itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["answer", "fail", "hang", "close", "limit"]
KINDS: tuple[Kind, ...] = ("answer", "fail", "hang", "close", "limit")

_ANSWERS = {
    200: "HTTP/1.1 200 OK\r\nServer: target\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}',
    429: "HTTP/1.1 429 Too Many Requests\r\nServer: target\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    500: "HTTP/1.1 500 Internal Server Error\r\nServer: target\r\nContent-Length: 0\r\n\r\n",
}
#: What is sent, by status; nothing is sent for 0.
ANSWERS = {status: text.encode() for status, text in _ANSWERS.items()}
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"


def address(lane: int) -> str:
    """The loopback address of a lane: partners are different hosts."""
    return f"127.0.{lane // 250}.{lane % 250 + 1}"


@dataclass
class Behaviour:
    """What happens to a lane's requests: `latency` seconds pass before an answer; `limit` are answered with 200 in each
    second of the clock, all others with 429.
    """

    kind: Kind = "answer"
    latency: float = 0.0
    limit: int = 0
    second: int = 0
    used: int = 0

    def status(self, now: float) -> int:
        """How a request that arrived at `now` (seconds) is answered; 0: not at all."""
        if self.kind == "answer":
            return 200
        if self.kind == "fail":
            return 500
        if self.kind != "limit":
            return 0
        if int(now) != self.second:
            self.second, self.used = int(now), 0
        self.used += 1
        return 200 if self.used <= self.limit else 429


class Taken(NamedTuple):
    """A request: its path (without the slash at its beginning and without its query), and where the next one begins."""

    path: bytes
    end: int


def take(data: bytes, start: int = 0) -> Taken | None:
    """The request that begins at `start`; None while it is not complete. Raises ValueError when it is none."""
    head = data.find(HEAD_END, start)
    if head < 0:
        return None
    slash = data.find(b" /", start, head)
    if slash < 0:
        raise ValueError("no request")
    stop = data.find(b" ", slash + 1, head)
    query = data.find(b"?", slash + 1, stop)
    path = data[slash + 2 : stop if query < 0 else query]
    end = head + len(HEAD_END)
    if not data.startswith(b"GET", start):
        found = _LENGTH.search(data, start, head)
        end += int(found[1]) if found else 0
    return Taken(path, end) if len(data) >= end else None


def ordered(words: list[str]) -> tuple[int, Behaviour]:
    """The lane and its behaviour from now on, of an order `set/<lane>/<kind>/<latency in ms>/<limit>`. Raises
    ValueError.
    """
    _, lane, kind, latency, limit = words
    if kind not in KINDS:
        raise ValueError(f"no such behaviour: {kind}")
    return int(lane), Behaviour(kind, int(latency) / 1000, int(limit))
