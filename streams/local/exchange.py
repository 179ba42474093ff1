"""One HTTP/1.1 exchange as plain data: the request that a partner received, and the answer it gives. No I/O here.

The partner parses by itself, for two reasons: it shows the exact bytes of the target and the headers, which a server
library would normalise, and it must be able to answer in ways that no library would.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Literal

import msgspec

MAX_HEAD = 1 << 20


class Request(msgspec.Struct, frozen=True):
    """A request as it was received. `target` is the raw path and query; `at` is the wall time in ms when it was
    complete.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: int = 0
    connection: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def job_id(self) -> str | None:
        """What makes a repeated postback known as one."""
        return self.header("Idempotency-Key")


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to answer. Waits `delay` seconds, then sends head and body, `drip` seconds between each two bytes of the
    body.

    `raw`: these bytes instead of an HTTP answer. `endless`: the body is repeated for ever. `ending`: what becomes of
    the connection: kept alive, closed, reset, or left hanging without any answer.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    drip: float = 0.0
    endless: bool = False
    raw: bytes | None = None
    ending: Literal["keep", "close", "reset", "hang"] = "keep"

    @property
    def immediate(self) -> bool:
        """Whether it is one write and nothing else."""
        return not (self.delay or self.drip or self.endless or self.ending != "keep")


OK = Answer()
HANG = Answer(ending="hang")
CLOSE = Answer(raw=b"", ending="close")
RESET = Answer(raw=b"", ending="reset")


def retry_after(value: str, status: int = 429) -> Answer:
    """A refusal that says when to come back, in whatever words."""
    return Answer(status=status, headers=(("Retry-After", value),))


@lru_cache(maxsize=256)
def head_of(answer: Answer, to: str) -> bytes:
    """The bytes before the body, for a request with method `to`."""
    if answer.raw is not None:
        return b""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if not answer.endless and answer.status not in (204, 304):
        lines.append(f"Content-Length: {len(answer.body)}")
    if answer.ending == "close":
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def body_of(answer: Answer, to: str) -> bytes:
    """The bytes after the head; there are none for HEAD and where the status forbids them."""
    if answer.raw is not None:
        return answer.raw
    return b"" if to == "HEAD" or answer.status in (204, 304) else answer.body


def take(buffer: bytearray) -> Request | None:
    """Remove the first whole request from `buffer`; None while it is not whole. Raises ValueError when it is no
    HTTP/1.1 request.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD:
            raise ValueError("the head is too large")
        return None
    first, *rest = buffer[:end].decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    headers = tuple(_header(line) for line in rest)
    found = _body(buffer, end + 4, {name.lower(): value for name, value in headers})
    if found is None:
        return None
    body, consumed = found
    del buffer[:consumed]
    return Request(method, target, headers, body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or name != name.strip():
        raise ValueError(f"no header: {line[:100]!r}")
    return name, value.strip(" \t")


def _body(buffer: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """The body and where it ends in `buffer`; None while it is not whole."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(buffer, start)
    end = start + int(headers.get("content-length", "0"))
    return (bytes(buffer[start:end]), end) if len(buffer) >= end else None


def _chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = b""
    while (line := buffer.find(b"\r\n", start)) >= 0:
        size = int(buffer[start:line].partition(b";")[0], 16)
        chunk = line + 2
        start = chunk + size + 2
        if len(buffer) < start:
            return None
        if size == 0:
            return body, start
        body += bytes(buffer[chunk : chunk + size])
    return None
