"""The bytes of a request without a connection: what the wire would put on one."""

from __future__ import annotations

import socket

import pytest

from streams.delivery import jobs
from streams.delivery.written import written
from streams.templates.finish import Finished, Unrenderable


def request(url: str = "https://acme.example/i", method: str = "GET", body: bytes | None = None) -> Finished:
    return jobs.identified(Finished(method, url, [("X-A", "é")], body), "job-1")


def test_a_get_has_its_headers_and_the_jobs_id() -> None:
    assert written(request("https://acme.example:8443/a%2Fb?c=%20d")) == (
        b"GET /a%2Fb?c=%20d HTTP/1.1\r\nHost: acme.example:8443\r\nUser-Agent: Ringback\r\nAccept: */*\r\n"
        b"X-A: \xc3\xa9\r\nIdempotency-Key: job-1\r\n\r\n"
    )


@pytest.mark.parametrize("body", [b"x", "é".encode(), b"a\r\n\r\nb", b"z" * 500_000])
def test_a_body_is_whole_however_large(body: bytes) -> None:
    head, _, rest = (written(request(method="POST", body=body))).partition(b"\r\n\r\n")
    assert rest == body
    assert head.endswith(b"\r\nContent-Length: %d" % len(body))


@pytest.mark.parametrize("method", ["HEAD", "DELETE", "PUT", "PATCH", "POST"])
def test_a_request_without_a_body_ends_with_its_head(method: str) -> None:
    found = written(request(method=method))
    assert found.startswith(method.encode() + b" /i HTTP/1.1\r\n")
    assert found.endswith(b"\r\n\r\n")


def test_what_the_wire_would_refuse_is_refused() -> None:
    with pytest.raises(Unrenderable, match="request: bad URL"):
        written(request("http:///nowhere"))


def test_nothing_is_looked_up_and_nothing_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a name was looked up, or a socket made")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr(socket.socket, "connect", never)
    assert written(request("http://no-such-host.invalid/"))
