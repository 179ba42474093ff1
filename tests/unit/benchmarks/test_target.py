"""The partner that benchmarks send to: where a request ends, and what it answers."""

from __future__ import annotations

import http.client
import time

import pytest

from tests.benchmarks import target

GET = b"GET /i HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /i HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"


@pytest.mark.parametrize(
    ("waiting", "found"),
    [
        (GET, (1, b"")),
        (GET + POST + GET, (3, b"")),
        (GET[:-1], (0, GET[:-1])),
        (GET + POST[:-1], (1, POST[:-1])),
        (b"", (0, b"")),
    ],
)
def test_a_request_ends_behind_its_body(waiting: bytes, found: tuple[int, bytes]) -> None:
    assert target.whole(waiting) == found


def test_it_answers_again_and_again_on_one_connection_and_not_before_its_latency() -> None:
    with target.target(latency=30) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        for method, body in (("GET", None), ("POST", b"x" * 100_000), ("GET", None)):
            begun = time.monotonic()
            connection.request(method, "/i", body)
            assert connection.getresponse().read() == target.BODY
            assert time.monotonic() - begun >= 0.03
        connection.close()
