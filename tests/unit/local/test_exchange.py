"""The partner's parser and answers: exact bytes in, exact bytes out."""

from __future__ import annotations

import pytest

from streams.local.exchange import HANG, OK, RESET, Answer, body_of, head_of, retry_after, take


def test_a_request_is_taken_as_it_was_written() -> None:
    buffer = bytearray(b"GET /i?a=%2C&b=%20 HTTP/1.1\r\nHost: x\r\nidempotency-key:  j1 \r\n\r\nGET /next")
    request = take(buffer)
    assert request is not None
    assert (request.method, request.target, request.path, request.query) == (
        "GET",
        "/i?a=%2C&b=%20",
        "/i",
        "a=%2C&b=%20",
    )
    assert request.job_id == "j1"
    assert buffer == b"GET /next"


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
def test_a_body_is_waited_for(body: bytes) -> None:
    whole = b"POST / HTTP/1.1\r\n" + body
    buffer = bytearray()
    for place in range(len(whole) - 1):
        buffer += whole[place : place + 1]
        assert take(buffer) is None
    buffer += whole[-1:]
    request = take(buffer)
    assert request is not None
    assert request.body == b"hello"
    assert not buffer


@pytest.mark.parametrize(
    "written",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(written: bytes) -> None:
    with pytest.raises(ValueError):
        take(bytearray(written))


def test_an_answer_carries_its_length_and_headers() -> None:
    answer = Answer(status=429, headers=(("Retry-After", "120"),), body=b"later")
    assert head_of(answer, "GET") == (
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 5\r\n\r\n"
    )
    assert body_of(answer, "GET") == b"later"
    assert body_of(answer, "HEAD") == b""


def test_any_status_can_be_answered() -> None:
    assert head_of(Answer(status=999), "GET").startswith(b"HTTP/1.1 999 Unknown\r\n")
    assert b"Content-Length" not in head_of(Answer(status=204, body=b"x"), "GET")
    assert body_of(Answer(status=204, body=b"x"), "GET") == b""


def test_raw_bytes_replace_the_whole_answer() -> None:
    answer = Answer(raw=b"HTTP/9 ?\n")
    assert head_of(answer, "GET") + body_of(answer, "GET") == b"HTTP/9 ?\n"


def test_only_a_plain_answer_is_immediate() -> None:
    assert OK.immediate
    assert retry_after("1").immediate
    assert not any(each.immediate for each in (HANG, RESET, Answer(delay=0.1), Answer(endless=True), Answer(drip=0.1)))
