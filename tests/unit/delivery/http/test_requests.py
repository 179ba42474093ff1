"""Where a URL leads, and the bytes that are written there (D17, D20, D21)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.http import origins, requests
from streams.delivery.http.origins import Origin, Unsendable
from streams.templates.finish import Finished


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://acme.example/i?a=%2c", Origin(True, "acme.example", 443, "acme.example"), "/i?a=%2c"),
        ("http://acme.example", Origin(False, "acme.example", 80, "acme.example"), "/"),
        ("HTTP://h:8080?x=1/2", Origin(False, "h", 8080, "h:8080"), "/?x=1/2"),
        ("https://h:443/", Origin(True, "h", 443, "h"), "/"),
        ("http://h:/", Origin(False, "h", 80, "h"), "/"),
        ("http://[::1]:9//a/../b", Origin(False, "::1", 9, "[::1]:9"), "//a/../b"),
        ("https://[2001:db8::1]/", Origin(True, "2001:db8::1", 443, "[2001:db8::1]"), "/"),
        ("http://2130706433/", Origin(False, "2130706433", 80, "2130706433"), "/"),
    ],
)
def test_a_url_is_split_and_its_target_left_alone(url: str, origin: Origin, target: str) -> None:
    assert origins.split(url) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/i",
        "ftp://h/",
        "http:///i",
        "http://",
        "http://user@h/",
        "http://user:pass@h/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:x/",
        "http://h h/",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h/ü",
        "http://ü.example/",
        "http://h/#f",
        "http://h\\@evil.example/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
    ],
)
def test_what_leads_nowhere_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(Unsendable, match=r"^bad URL$"):
        origins.split(url)


HERE = Origin(False, "h", 80, "h")


def written(method: str = "GET", *headers: tuple[str, str], body: bytes | None = None) -> bytes:
    return requests.written(Finished(method, "http://h/i", list(headers), body), HERE, "/i")


def test_what_the_template_says_of_itself_is_not_said_twice() -> None:
    assert (
        written("GET", ("user-agent", "mine"))
        == b"GET /i HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nuser-agent: mine\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("GET", None, None),
        ("HEAD", None, None),
        ("GET", b"x", 1),
        ("POST", None, 0),
        ("PUT", b"", 0),
        ("DELETE", None, 0),
    ],
)
def test_a_request_says_how_long_its_body_is(method: str, body: bytes | None, length: int | None) -> None:
    said = written(method, body=body)
    assert (f"Content-Length: {length}".encode() in said) == (length is not None)
    assert said.endswith(b"\r\n\r\n" + (body or b""))


@given(st.lists(st.tuples(st.sampled_from(["X-A", "X-B"]), st.text(max_size=20)), max_size=4), st.binary(max_size=50))
def test_no_value_makes_another_header(headers: list[tuple[str, str]], body: bytes) -> None:
    try:
        said = written("POST", *headers, body=body)
    except Unsendable:
        assert any(set("\r\n\0") & set(value) or max(value, default="") >= "\ud800" for _, value in headers)
        return
    head, _, rest = said.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [b"Host", b"User-Agent", b"Accept", *(name.encode() for name, _ in headers), b"Content-Length"]
    assert rest == body


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\n", "", "G T"])
def test_a_method_is_one_word(method: str) -> None:
    with pytest.raises(Unsendable):
        written(method)
