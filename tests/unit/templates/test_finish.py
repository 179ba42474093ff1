from __future__ import annotations

from typing import Any

import pytest

from schemas.job import Deferred, Request
from streams.templates.finish import Unrenderable, finish
from tests.unit.templates.rendering import HOST, NOW, finished


def finishing(request: Request) -> object:
    return finish(request, attempt=1, now=NOW, secret=str)


def test_the_attempt_and_the_moment_of_sending_are_those_of_each_attempt() -> None:
    sent = finished(url=f"{HOST}/?a={{attempt}}&n={{now}}&u={{now|unix}}")
    assert sent.url == f"{HOST}/?a=2&n=2026-01-02T03%3A04%3A05Z&u=1767323045"


def test_the_method_and_body_are_the_endpoints() -> None:
    sent = finished(method="PUT", body="é")
    assert (sent.method, sent.body) == ("PUT", "é".encode())


def deferred(kind: Any = "value", base: Any = "x", modifiers: Any = (), place: Any = "query") -> Deferred:
    return Deferred(kind, base, modifiers, place)


@pytest.mark.parametrize(
    "part",
    [
        deferred("macro", "click_id"),
        deferred("macro", 5),
        deferred("text", 5),
        deferred(modifiers=(("nope", None),)),
        deferred(modifiers=(("fixed", "2"),)),
        deferred(modifiers=(("fixed", "999999999"),)),
        deferred(modifiers=(("fixed", "x"),)),
        deferred(modifiers=(("date", None),)),
        deferred(base=float("nan")),
    ],
)
def test_a_deferred_part_that_no_template_makes_is_refused(part: Deferred) -> None:
    with pytest.raises(Unrenderable):
        finishing(Request("GET", (f"{HOST}/?x=", part)))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/",
        "https://x/a b",
        "https://x/\r\n",
        "https://x/é",
        "https://x/a/../b",
        "https://x/%2e%2E",
        "https://x/#f",
    ],
)
def test_a_url_that_no_template_makes_is_refused(url: str) -> None:
    with pytest.raises(Unrenderable):
        finishing(Request("GET", (url,)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A\r\n", "b"),
        ("X A", "b"),
        ("", "b"),
        ("Host", "b"),
        ("content-length", "0"),
        ("X-A", "b\r\nX-C: d"),
        ("X-A", "\x00"),
    ],
)
def test_a_header_that_no_template_makes_is_refused(name: str, value: str) -> None:
    with pytest.raises(Unrenderable):
        finishing(Request("GET", (HOST,), ((name, (value,)),)))
