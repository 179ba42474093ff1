"""Answers, however they are cut into pieces: what they say, where they end, and how much of them is kept (D10, D11)."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.http.answers import (
    BODY_LIMIT,
    HEADER_COUNT_LIMIT,
    HEADER_LINE_LIMIT,
    Malformed,
    Reading,
    Unhurried,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
unhurried: Unhurried


@pytest.fixture(scope="module", autouse=True)
def loop() -> Iterator[None]:
    """The parser keeps a loop, and never uses it here."""
    global unhurried
    made = asyncio.new_event_loop()
    unhurried = Unhurried(made)
    yield
    made.close()


def new(bodiless: bool = False) -> Reading:
    return Reading(unhurried, unhurried._loop, bodiless)


def read(pieces: list[bytes], bodiless: bool = False) -> tuple[Reading, bool]:
    """The answer, and whether it was over before the pieces were."""
    reading = new(bodiless)
    return reading, any(reading.feed(piece) for piece in pieces)


def cut(whole: bytes, at: set[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(whole) + 1) for place in at), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(ends) if start < end]


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer with a body that ends by itself, and the body."""
    body = draw(st.binary(max_size=6_000))
    status = draw(st.integers(200, 999).filter(lambda value: value not in (204, 304)))
    line = draw(st.sampled_from(["\r\n", "\n"]))
    names = st.text("abcXYZ-", min_size=1, max_size=8).map(lambda name: f"X{name}")
    values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
    fields = [f"{name}: {value}" for name, value in draw(st.lists(st.tuples(names, values), max_size=5))]
    parts = [body]
    if draw(st.booleans()):
        fields.append(f"content-LENGTH:{len(body)}")
    else:
        fields.append("Transfer-Encoding: chunked")
        sizes = draw(st.lists(st.integers(1, 3_000), max_size=4))
        left, parts = body, []
        for size in [*sizes, len(body)]:
            if left:
                parts.append(b"%x%s\r\n%s\r\n" % (len(left[:size]), draw(st.sampled_from([b"", b";a=b"])), left[:size]))
                left = left[size:]
        parts.append(b"0\r\n" + draw(st.sampled_from([b"", b"T: x\r\n"])) + b"\r\n")
    interim = draw(st.sampled_from(["", "HTTP/1.1 100 Continue\r\n\r\n"]))
    head = interim + line.join([f"HTTP/1.1 {status} what", *draw(st.permutations(fields)), "", ""])
    return head.encode() + b"".join(parts), body


@given(answers(), st.sets(st.integers(0, 10_000), max_size=6))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(answer: tuple[bytes, bytes], at: set[int]) -> None:
    whole, body = answer
    reading = new()
    pieces = cut(whole, at)
    over = [reading.feed(piece) for piece in pieces[: _fed(pieces)]]
    assert over[-1]
    assert not any(over[:-1])
    assert reading.body == body[:BODY_LIMIT]
    # Behind a head with bare line feeds the connection is not trusted.
    assert reading.clean == (len(over) == len(pieces) and b" what\r\n" in whole)


def _fed(pieces: list[bytes]) -> int:
    """How many pieces the answer takes: it is over at its limit."""
    reading = new()
    return next(number for number, piece in enumerate(pieces, 1) if reading.feed(piece))


@given(answers())
def test_another_reader_reads_the_same(answer: tuple[bytes, bytes]) -> None:
    whole, body = answer
    here, there = socket.socketpair()
    with here, there:
        there.sendall(whole)
        other = http.client.HTTPResponse(here)
        other.begin()
        reading, over = read([whole])
        assert over
        assert (
            (reading.status, reading.body)
            == (other.status, other.read()[:BODY_LIMIT])
            == (other.status, body[:BODY_LIMIT])
        )


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_nothing_that_comes_in_does_harm(pieces: list[bytes], headed: bool) -> None:
    reading = new()
    with contextlib.suppress(Malformed):
        for piece in [HEAD, *pieces] if headed else pieces:
            if reading.feed(piece):
                break
    assert len(reading.body) <= BODY_LIMIT


def test_an_answer_byte_by_byte() -> None:
    whole = HEAD + b"Transfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    reading = new()
    over = [reading.feed(whole[at : at + 1]) for at in range(len(whole))]
    assert over == [False] * (len(whole) - 1) + [True]
    assert (reading.text, reading.clean) == ("abc", True)
    assert (reading.status, reading.retry_after, reading.patience) == (200, "7", None)


def test_what_a_head_says() -> None:
    reading, over = read(
        [
            b"HTTP/1.1 429 Too Many\r\nretry-after:  120 \r\nRetry-After: 9\r\nContent-Length: 00012\r\n"
            b"Connection: Keep-Alive\r\nKeep-Alive: max=100, timeout=5\r\nX-Content-Length: 3\r\n\r\n" + b"x" * 12
        ]
    )
    assert (over, reading.clean) == (True, True)
    assert (reading.status, reading.retry_after, reading.patience) == (429, "120", 5)


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x\r\nconnection: y, close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive,\r\n close\r\n", False),
    ],
)
def test_whether_a_connection_stays(head: bytes, keeps: bool) -> None:
    reading, over = read([head + b"Content-Length: 2\r\n\r\nok"])
    assert (over, reading.clean) == (True, keeps)


@pytest.mark.parametrize(
    "lines",
    [
        b"HTTP/1.1 20 OK\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/2 200 OK\r\n",
        b"http/1.1 200 OK\r\n",
        b" HTTP/1.1 200 OK\r\n",
        b"ICY 200 OK\r\n",
        HEAD + b": no name\r\n",
        HEAD + b"Content-Length: 5, 5\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n",
        HEAD + b"Content-Length: +5\r\n",
        HEAD + b"Content-Length: 5\r\n 6\r\n",
        HEAD + b"Content-Length: " + b"9" * 21 + b"\r\n",
        HEAD + b"Content-Length:\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\nContent-Length: 5\r\n",
        HEAD + b"X: a\rb\r\n",
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_malformed(lines: bytes) -> None:
    with pytest.raises(Malformed):
        read([lines + b"\r\n"])


def test_a_coding_that_nobody_asked_for_ends_with_the_connection() -> None:
    reading, over = read([HEAD + b"Transfer-Encoding: gzip\r\n\r\nabc"])
    assert (over, reading.end(), reading.text) == (False, True, "abc")


@pytest.mark.parametrize("end", [b"0\r\n", b"5", b"5\r\nabcde", b"5\r\nabcde\r\n"])
def test_chunks_do_not_end_before_the_last_one(end: bytes) -> None:
    reading, over = read([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", end])
    assert (over, reading.end()) == (False, False)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 " + b"x" * 1_000, *[b"x" * 1_000] * (HEADER_LINE_LIMIT // 1_000 + 1), b"\r\n"],
        [HEAD + b"X: " + b"x" * HEADER_LINE_LIMIT + b"\r\n\r\n"],
        [HEAD + b"X: y\r\n" * (HEADER_COUNT_LIMIT + 1) + b"\r\n"],
        [HEAD, *[b"X: " + b"y" * 4_000 + b"\r\n"] * 17],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 100],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X: " + b"x" * 1_000 + b"\r\n"] * 200],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 17,
        [b"\r\n" * 40],
        [b"\r", *[b"\n\r"] * 40],
    ],
    ids=[
        "line",
        "one header",
        "many headers",
        "head",
        "chunk size",
        "trailers",
        "interim",
        "empty lines",
        "cut empty lines",
    ],
)
def test_nothing_is_longer_than_its_limit(pieces: list[bytes]) -> None:
    reading = new()
    with pytest.raises(Malformed):
        _ = [reading.feed(piece) for piece in pieces]


BEHIND = [
    b"H",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
    b"abc\r\n",
    b"\0",
    b"0\r\n\r\n",
]


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("trailer", [b"", b"T: x\r\n"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_behind_the_last_chunk_nothing_may_begin(behind: bytes, trailer: bytes, pieces: int) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    last = b"2\r\nab\r\n0\r\n" + trailer + b"\r\n" + behind
    reading, over = read([head + last] if pieces == 1 else [head, last])
    assert (over, reading.text, reading.clean) == (True, "ab", False)


@given(st.sets(st.integers(0, 100), max_size=5))
def test_chunks_leave_a_connection_clean_however_they_are_cut(at: set[int]) -> None:
    whole = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    reading, over = read(cut(whole, at))
    assert (over, reading.text, reading.clean) == (True, "ab", True)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 x\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"ok", b"\r\n"])
@pytest.mark.parametrize("behind", [b"", b"HT", b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"])
@given(at=st.sets(st.integers(0, 90), max_size=3))
def test_behind_bare_line_feeds_a_connection_is_not_trusted(
    head: bytes, body: bytes, behind: bytes, at: set[int]
) -> None:
    whole = head + body
    at = {place % (len(whole) + 1) for place in at}
    *before, last = cut(whole, at)
    reading, over = read([*before, last + behind])
    assert (over, reading.status, reading.body, reading.clean) == (True, 200, body, False)


@pytest.mark.parametrize("head", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b""])
@pytest.mark.parametrize(
    ("line", "bodiless"),
    [(b"HTTP/1.1 200 OK\r\n", True), (b"HTTP/1.1 304 x\r\n", False), (b"HTTP/1.1 304 x\r\n", True)],
)
def test_an_answer_without_a_body_is_over_with_its_head(line: bytes, head: bytes, bodiless: bool) -> None:
    reading, over = read([line + head + b"\r\n"], bodiless)
    assert (over, reading.body, reading.clean) == (True, b"", True)
    reading, over = read([line + head + b"\r\n" + b"x" * 9], bodiless)
    assert (over, reading.body, reading.clean) == (True, b"", False)


def test_headers_can_be_written_down() -> None:
    reading, _ = read([HEAD + b"X: \xff\xc3\xa9\r\nContent-Length: 0\r\n\r\n"])
    assert reading.headers == (("X", "\ufffdé"), ("Content-Length", "0"))
