"""What a command makes of a worker's answers, over real HTTP."""

from __future__ import annotations

import time

import msgspec
import pytest

from streams.cli.asking import Asking
from streams.errors import Stop
from streams.local.exchange import Answer as Reply
from streams.local.partner import Partner
from streams.lookups.answer import Answer, encode, freshness
from streams.lookups.client import NoAnswer, Refused, Worker
from streams.lookups.routing import Asked

TOKEN = "sixteen-or-more-characters"
ASKED = Asked("device", "game|abc")


def worker(partner: Partner, within: float = 5.0) -> Worker:
    return Worker(partner.url("").rstrip("/"), TOKEN, "workers", within)


def told(group: str = "workers", status: int = 404) -> Reply:
    known = Answer(kind="device", partition=3, group=group, worker="w", at=1, positions={"events": 5}, behind=0)
    return Reply(status=status, body=encode(known))


def again(after: str = "0") -> Reply:
    return Reply(status=503, headers=(("Retry-After", after),), body=b'{"reason":"recovering","again":true}')


def test_it_asks_again_until_there_is_an_answer(partner: Partner) -> None:
    partner.answer(ASKED.path, again(), again(), told())
    assert worker(partner).ask(ASKED).partition == 3
    seen = partner.requests
    assert len(seen) == 3
    assert {one.header("Authorization") for one in seen} == {f"Bearer {TOKEN}"}


def test_what_cannot_be_told_in_time_is_said_with_the_reason(partner: Partner) -> None:
    partner.answer(ASKED.path, again("60"))
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="cannot tell it: recovering") as caught:
        worker(partner, within=1.0).ask(ASKED)
    assert "--worker none" in caught.value.remedy
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_final(partner: Partner, status: int) -> None:
    partner.answer(ASKED.path, Reply(status=status, body=b'{"reason":"no\\u001b[2J","again":false}'))
    with pytest.raises(Stop, match=r"refuses: no\[2J") as caught:
        worker(partner).ask(ASKED)
    assert not isinstance(caught.value, NoAnswer)
    assert isinstance(caught.value, Refused) == (status != 400)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_a_command_only_when_the_worker_was_named(partner: Partner, status: int) -> None:
    partner.answer(ASKED.path, Reply(status=status, body=b'{"reason":"no","again":false}'))
    assert Asking(worker(partner), insists=False)(ASKED.kind, ASKED.key) is None
    with pytest.raises(Refused):
        Asking(worker(partner), insists=True)(ASKED.kind, ASKED.key)


@pytest.mark.parametrize("slow", [Reply(delay=3.0), Reply(body=b"x" * 100, drip=0.1)])
def test_one_try_lasts_no_longer_than_what_is_left(partner: Partner, slow: Reply) -> None:
    partner.answer(ASKED.path, slow)
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="does not answer"):
        worker(partner, within=0.5).ask(ASKED)
    assert 0.4 < time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, body=b"<html>"),
        Reply(status=404, body=b"{}"),
        Reply(status=502, body=b'["reason"]'),
        Reply(status=302, headers=(("Location", "http://127.0.0.1:1/"),)),
        told(group="others"),
    ],
)
def test_what_is_no_worker_of_the_group_is_no_answer(partner: Partner, reply: Reply) -> None:
    partner.answer(ASKED.path, reply)
    with pytest.raises(NoAnswer):
        worker(partner).ask(ASKED)
    assert len(partner.requests) == 1


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="does not answer"):
        Worker("http://127.0.0.1:1", "", "workers", 5.0).ask(ASKED)


@pytest.mark.parametrize("url", ["", "worker:1", "ftp://a", "http://a:{port}", "http://a?b=c", "http://me:secret@a"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Stop, match="no URL of a worker"):
        Worker(url, "", "workers", 5.0)


def test_how_fresh_it_is_in_words() -> None:
    known = msgspec.json.decode(told().body, type=Answer)
    words = {behind: freshness(msgspec.structs.replace(known, behind=behind)) for behind in (None, 0, 1, 2_000)}
    assert words[0] == "everything that has been appended is applied"
    assert words[1] == "1 appended record is not applied yet"
    assert words[2_000] == "2,000 appended records are not applied yet"
    assert "not known" in words[None]
