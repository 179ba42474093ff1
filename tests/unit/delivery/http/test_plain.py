"""The quick way to read a plain answer says what the parser says, and leaves it whatever might be read otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.delivery.http import plain
from streams.delivery.http.answers import HEADER_COUNT_LIMIT, Malformed, Reading, Unhurried

HEAD = b"HTTP/1.1 200 OK\r\n"
PLAIN = HEAD + b"Server: target\r\nContent-Length: 2\r\n\r\nok"
unhurried: Unhurried


@pytest.fixture(scope="module", autouse=True)
def loop() -> Iterator[None]:
    """The parser keeps a loop, and never uses it here."""
    global unhurried
    made = asyncio.new_event_loop()
    unhurried = Unhurried(made)
    yield
    made.close()


class Read(NamedTuple):
    """All that a `Reading` says of an answer."""

    over: bool
    clean: bool
    status: int | None
    body: bytes
    retry_after: str | None
    patience: int | None
    headers: tuple[tuple[str, str], ...]


def read(data: bytes) -> Read | str:
    reading = Reading(unhurried, unhurried._loop)
    try:
        over = reading.feed(data)
    except Malformed as error:
        return str(error)
    headers = reading.headers
    return Read(over, reading.clean, reading.status, reading.body, reading.retry_after, reading.patience, headers)


def parsed(data: bytes) -> Read | str:
    """The same by the parser."""
    with patch.object(plain, "read", lambda data: None):
        return read(data)


NAMES = (
    *("Server", "Date", "Content-Type", "Content-Encoding", "Set-Cookie", "ETag", "Via", "Trailer", "TE", "X"),
    *("Content-Length", "content-length", "Content-Length2", "Connection", "Proxy-Connection", "Keep-Alive"),
    *("Transfer-Encoding", "Upgrade", "Retry-After", "Sec-WebSocket-Key1", "Host", "X Y", "", "X\0", "é"),
)
VALUES = (
    *("", "0", "2", "02", "2 ", "2,2", "+2", "-2", "99", "99999", "gzip", "chunked", "close", "keep-alive"),
    *("Keep-Alive", "keep-alive, close", "upgrade", "timeout=5", "websocket", "a\tb", "a\0b", "a\rb", "a\nb", "é"),
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers of which some are plain, and many are nearly so."""
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/1.2", "http/1.1"]))
    status = draw(st.sampled_from(["200"] * 8 + ["100", "101", "199", "201", "204", "304", "404", "503", "600", "20"]))
    reason = draw(st.sampled_from([" OK"] * 8 + ["", " ", " Not Found", " a\tb", " é", "\r"]))
    fields = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3))
    body = draw(st.sampled_from([b"", b"ok", b"ok", b"ok", b"okay", b"\r\n", b"2\r\nok\r\n0\r\n\r\n"]))
    fields += draw(st.sampled_from([[("Content-Length", str(len(body)))]] * 4 + [[("Content-Length", "2")], []]))
    space = draw(st.sampled_from([": "] * 8 + [":", ":  ", " : ", ":\t"]))
    line = draw(st.sampled_from(["\r\n"] * 8 + ["\n", "\r"]))
    lines = [f"{name}{space}{value}{line}" for name, value in draw(st.permutations(fields))]
    return f"{version} {status}{reason}{line}{''.join(lines)}{line}".encode() + body


@given(answers())
@settings(max_examples=500)
@example(PLAIN)
@example(HEAD + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
def test_what_is_read_quickly_is_what_the_parser_reads(data: bytes) -> None:
    assert read(data) == parsed(data)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        HEAD + b"content-length:0\r\n\r\n",
        HEAD + b"Connection: keep-alive\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: 2000\r\n\r\n" + b"x" * 2_000,
    ],
)
def test_a_plain_answer_needs_no_parser(data: bytes) -> None:
    assert plain.read(data) is not None
    with patch.object(Reading, "_made", side_effect=AssertionError):
        reading = Reading(unhurried, unhurried._loop)
        assert (reading.feed(data), reading.clean) == (True, True)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"x",
        PLAIN[: -len(b"\r\nok")],
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\ntransfer-encoding: gzip\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nConnection: keep-alive, close\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nproxy-connection: close\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nRetry-After: 2\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok",
        HEAD + b"Content-Length: 2\r\nX: a\r\n b\r\n\r\nok",
        HEAD + b"Content-Length: 2\nX: a\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"X: y\r\n" * (HEADER_COUNT_LIMIT + 1) + b"Content-Length: 0\r\n\r\n",
        HEAD + b"X: y\r\n" * (HEADER_COUNT_LIMIT // 2) + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 4096\r\n\r\n" + b"x" * 4_096,
    ],
)
def test_anything_else_is_the_parsers(data: bytes) -> None:
    assert plain.read(data) is None


def test_the_answer_to_a_head_is_never_taken_for_one_with_a_body() -> None:
    reading = Reading(unhurried, unhurried._loop, bodiless=True)
    assert reading.feed(PLAIN)
    assert (reading.status, reading.body, reading.clean) == (200, b"", False)
