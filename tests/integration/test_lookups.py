"""Look-ups on two real workers: whichever is asked tells what the changelog holds, and tells it to nobody else."""

from __future__ import annotations

import http.client
import json
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from streams import kafka
from streams.local.guarded import GuardedProcess
from streams.lookups.answer import Answer
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.engine_bench import owns, probe, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.topics import Sent, create_topics
from tests.support.waiting import eventually

__all__ = ["ringback"]

TOKEN = "a token of this test".replace(" ", "-")
CONFIGURATION = """\
sources: [{{topic: {prefix}installs, record: install}}, {{topic: {prefix}events, record: event}}]
apps: [{{id: game, project: shop, platform: android, device_key: [os_id], install_grace: 0s}}]
partners: [{{id: acme, name: Acme}}]
postbacks: [{{id: one, app: game, partner: acme, event: install, url: 'http://127.0.0.1:9/'}}]
"""
#: Identifiers that a URL, a log or a shell may take for something else.
ODD = ("a|b", "a/b", "a%2Fb", "50%", "ключ ✓", "..", "?q=1#f", "a b+c")
IDENTIFIERS = (*ODD, *(f"device{number}" for number in range(12)))


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def answer(self) -> Answer:
        return msgspec.json.decode(self.body, type=Answer)

    @property
    def reason(self) -> str:
        return str(json.loads(self.body)["reason"])


def get(url: str, path: str, token: str = TOKEN, method: str = "GET", **headers: str) -> Reply:
    """Ask a worker."""
    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=10)
    try:
        own = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, headers=own | headers)
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


def path_of(key: str, kind: str = "device") -> str:
    return f"/v1/state/{kind}/{quote(key, safe='')}"


def url_of(worker: GuardedProcess) -> str:
    """Where a worker's look-ups are; it says so in its log."""
    line = next(line for line in worker.output().splitlines() if "look-ups: http" in line)
    return line.split("look-ups: ")[1].split()[0]


class Shop:
    """One app with devices in every partition."""

    def __init__(self, settings: Settings, start: Start, folder: Path) -> None:
        self.settings, self._bench = settings, Bench(settings)
        self._bench.create()
        self._inputs = [f"{settings.topic_prefix}{name}" for name in ("installs", "events")]
        create_topics(settings.bootstrap_servers, dict.fromkeys(self._inputs, settings.partitions))
        (folder / "shop.yaml").write_text(CONFIGURATION.format(prefix=settings.topic_prefix))
        applied = start("apply", str(folder / "shop.yaml"))
        assert applied.wait(60) == 0, applied.output()

    def install(self, identifier: str, user_id: str = "u1") -> None:
        record = {"id": f"i-{identifier}", "app_id": "game", "os_id": identifier, "user_id": user_id}
        sent = Sent(json.dumps(record | {"publisher_name": "acme"}).encode(), f"game|{identifier}".encode())
        self._bench.write(self._inputs[0], [sent])

    def partition(self, identifier: str) -> int:
        return kafka.partition_of(f"game|{identifier}".encode(), self.settings.partitions)


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(lookup_port=0, lookup_token=TOKEN)


@pytest.fixture
def shop(settings: Settings, start: Start, tmp_path: Path) -> Shop:
    shop = Shop(settings, start, tmp_path)
    for identifier in IDENTIFIERS:
        shop.install(identifier)
    assert {shop.partition(one) for one in IDENTIFIERS} == set(range(settings.partitions))
    return shop


def pair_of(make_settings: MakeSettings, folder: Path) -> list[Settings]:
    """The settings of two workers that keep their places in the group over a restart."""
    alike: dict[str, Any] = {"lookup_port": 0, "lookup_token": TOKEN}
    return [make_settings(state_dir=folder / name, instance_id=name, **alike) for name in "ab"]


@pytest.fixture
def workers(shop: Shop, make_settings: MakeSettings, start: Start, tmp_path: Path) -> list[GuardedProcess]:
    """Two, each with half of the partitions."""
    pair = [start("worker", with_settings=one) for one in pair_of(make_settings, tmp_path)]
    eventually(lambda: all(owns(one, 2) for one in pair), within=90, every=0.2, what="two partitions each")
    for one in pair:
        wait_ready(one)
    return pair


@pytest.mark.timeout(240)
def test_whichever_worker_is_asked_tells_what_the_changelog_holds(
    shop: Shop,
    workers: list[GuardedProcess],
    ringback: Run,
    make_settings: MakeSettings,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = [url_of(one) for one in workers]
    for identifier in IDENTIFIERS:
        for url in urls:
            eventually(
                partial(_known, url, f"game|{identifier}", shop.partition(identifier)), within=40, what=identifier
            )
    told = {url: {get(url, path_of(f"game|{one}")).answer.worker for one in IDENTIFIERS} for url in urls}
    assert told == {url: set(urls) for url in urls}, "each has some, and knows who has the others"

    eventually(lambda: get(urls[0], path_of("shop|u1", "user")).status == 200, within=40, what="the user is known")
    _as_kafka_tells_it(ringback, urls)
    _nobody_unknown(shop, urls)
    _only_with_the_token(urls[0])
    _nothing_is_said_elsewhere(workers)
    workers[1].terminate()
    assert workers[1].wait(20) == 0
    workers[1] = start("worker", with_settings=pair_of(make_settings, tmp_path)[1])
    _it_is_found_at_its_new_port(workers, urls)
    _the_new_owner_answers(workers, ringback, monkeypatch)


def _known(url: str, key: str, partition: int) -> bool:
    reply = get(url, path_of(key))
    assert reply.status in (200, 404, 503), reply
    assert reply.status == 503 or reply.answer.partition == partition
    return reply.status == 200


def _as_kafka_tells_it(ringback: Run, urls: list[str]) -> None:
    odd = f"game|{ODD[4]}"
    for asked in ((odd,), (f"game|{ODD[1]}",), ("--app", "game", "--id", ODD[2]), ("--user", "shop|u1")):
        found = [ringback("state", *asked, "--worker", source) for source in (*urls, "none")]
        assert [status for status, _, _ in found] == [0, 0, 0], found
        heads = {out.splitlines()[0] for _, out, _ in found}
        assert len(heads) == 1
        assert "asked the worker at http" in found[0][2]
        assert "everything that has been appended is applied" in found[0][2]
        assert "read " in found[2][2]
        asking = [json.loads(ringback("state", *asked, "--json", "--worker", one)[1]) for one in (*urls, "none")]
        first, second, kafka_ = map(_timeless, asking)
        assert first == second == kafka_
    answer = get(urls[0], path_of(odd)).answer
    assert answer.state is not None
    assert answer.state.size == len(answer.state.row)
    assert msgspec.json.decode(answer.state.story)["device_key"] == odd
    assert answer.behind == 0
    told, listed = (ringback("explain", "-d", odd, "--worker", url) for url in (urls[0], "none"))
    assert told[1] == listed[1]
    assert "asked the worker" in told[2]
    status, _, err = ringback("state", "game|nobody", "--worker", urls[1])
    assert (status, "no device game|nobody is known" in err) == (1, True), err


def _timeless(story: dict[str, Any]) -> dict[str, Any]:
    """Without the paragraph that says how long something is still to come."""
    return {**story, "said": [one for one in story["said"] if one["about"] != "clock"]}


def _nobody_unknown(shop: Shop, urls: list[str]) -> None:
    for url in urls:
        reply = get(url, path_of("game|nobody"))
        assert reply.status == 404
        assert reply.answer.state is None
        assert reply.answer.partition == shop.partition("nobody")
        assert set(reply.answer.positions) == {f"{shop.settings.topic_prefix}{one}" for one in ("installs", "events")}
    refused = get(urls[0], "/v1/state/device/no-separator")
    assert (refused.status, refused.reason) == (400, "the key of a device is <app_id>|<identifier>")
    for path in ("/", "/v1/state", "/v1/state/device", "/v1/state/user/", "/metrics", "/v1/state/session/a"):
        assert get(urls[0], path).status in (400, 404), path


def _only_with_the_token(url: str) -> None:
    path = path_of("game|device1")
    assert get(url, path, method="POST").status == 405
    for token, status in (("", 401), ("a-token-of-this-tesT", 403), (TOKEN[:-1], 403), (TOKEN, 200)):
        reply = get(url, path, token)
        assert reply.status == status, token
        assert (b"acme" in reply.body) == (status == 200)


def _nothing_is_said_elsewhere(workers: list[GuardedProcess]) -> None:
    for one in workers:
        said = one.output()
        assert TOKEN not in said
        assert "device1" not in said
        assert "ключ" not in said
        for path in (path_of("game|device1"), "/v1/state/device/game%7Cdevice1"):
            assert probe(one, path)[0] == 404


def _it_is_found_at_its_new_port(workers: list[GuardedProcess], urls: list[str]) -> None:
    """A static member that is back in time comes without a rebalance: nobody hears of it from the group."""
    wait_ready(workers[1], within=90)
    new = url_of(workers[1])
    assert new not in urls

    def workers_told() -> set[str]:
        replies = [get(urls[0], path_of(f"game|{one}")) for one in IDENTIFIERS]
        return {one.answer.worker for one in replies if one.status == 200}

    eventually(lambda: workers_told() == {urls[0], new}, within=40, what="each state has its worker again")


def _the_new_owner_answers(workers: list[GuardedProcess], ringback: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    left, dead = (url_of(one) for one in workers)
    theirs = next(one for one in IDENTIFIERS if get(left, path_of(f"game|{one}")).answer.worker == dead)
    before = get(left, path_of(f"game|{theirs}")).answer
    workers[1].kill()
    reply = get(left, path_of(f"game|{theirs}"))
    assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    assert "does not answer" in reply.reason
    began = time.monotonic()
    status, out, err = ringback("state", f"game|{theirs}", "--worker", left, "--timeout", "60")
    assert (status, f"asked the worker at {left}:" in err) == (0, True), err
    assert "acme" in out
    assert time.monotonic() - began > 1, "it was there without waiting"
    after = get(left, path_of(f"game|{theirs}")).answer
    assert after.worker == left
    assert before.state is not None
    assert after.state is not None
    assert (after.state.row, after.positions) == (before.state.row, before.positions)
    # A command that was not told to ask this very worker reads Kafka when it is gone.
    status, _, err = ringback("state", f"game|{theirs}", "--worker", dead, "--timeout", "1")
    assert (status, "--worker none reads Kafka instead" in err) == (1, True)
    monkeypatch.setenv("RINGBACK_LOOKUP_URL", dead)
    status, out, err = ringback("state", f"game|{theirs}")
    assert (status, "does not answer" in err, "reading Kafka instead" in err, "acme" in out) == (0, True, True, True)
