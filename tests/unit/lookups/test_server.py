"""The port itself, on real sockets: what it refuses, what it bounds, and what it does not say."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from yarl import URL

from schemas.config import Configuration, Source
from streams.clock import SystemClock
from streams.engine.partition import Partition
from streams.engine.progress import Ends
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Stage, Unit
from streams.engine.store import Applied, Store, StoreMemory
from streams.errors import Stop
from streams.lookups import server
from streams.lookups.routing import FORWARDED, Asked
from streams.lookups.server import LookupServer
from streams.settings import Settings

TOKEN = "sixteen-or-more-characters"
KEY = "game|secret-device"


def device_stage() -> Stage:
    return Stage("device", (Source(topic="events", record="event"),), 1, "changelog", cast(Any, None))


class Kept:
    """A partition with a store, and nothing that runs."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store", StoreMemory())
        self.store.open()
        self.running = True
        self.unit, self.number, self.topics = Unit("device", 0), 0, ("events",)
        self.inputs = [("events", 0)]
        self.looked = 0

    def position(self, _topic: str) -> int:
        return 7

    def look(self, keys: list[bytes]) -> list[bytes | None]:
        self.looked += 1
        return self.store.read(keys)


class Standing:
    """Tells one end."""

    def __init__(self, end: int | None) -> None:
        self.end = end

    async def of(self, places: list[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        return None if self.end is None else dict.fromkeys(places, self.end)


class Engine:
    """What the server knows of one."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.clock = settings, SystemClock()
        self.kept, self.standing = Kept(folder), Standing(9)
        self.ends = cast(Ends, self.standing)
        self.stages: tuple[Stage, ...] = (device_stage(),)
        self.partitions = {self.kept.unit: cast(Partition, self.kept)}
        self.configuration: Configuration | None = None


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Settings(lookup_port=0, lookup_token=TOKEN), tmp_path)  # type: ignore[arg-type]


@pytest.fixture
async def port(engine: Engine) -> AsyncIterator[LookupServer]:
    running = LookupServer(engine)
    await running.start()
    yield running
    await running.close()
    engine.kept.store.close()


async def ask(url: str, key: str = KEY, **headers: str) -> tuple[int, Any, dict[str, str]]:
    own = {"Authorization": f"Bearer {TOKEN}"} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(url + Asked("device", key).path, encoded=True), headers=own) as reply,
    ):
        return reply.status, await reply.json(), dict(reply.headers)


async def test_a_row_is_told_with_how_far_its_partition_has_come(engine: Engine, port: LookupServer) -> None:
    rows = {Asked("device", KEY).row: b"\x63of a version to come", MARKER_KEY: Marker({"events": 5}).encode()}
    engine.kept.store.write(rows, Applied(1, 1))
    status, told, headers = await ask(port.url)
    assert (status, told["positions"], told["behind"], told["worker"]) == (200, {"events": 5}, 2, port.url)
    assert (told["state"]["version"], told["state"]["story"]) == (0x63, None)
    assert (headers["Cache-Control"], headers["Connection"]) == ("no-store", "close")
    assert (await ask(port.url, "game|nobody"))[0] == 404


async def test_brokers_that_are_away_keep_no_state_back(engine: Engine, port: LookupServer) -> None:
    engine.standing.end = None
    status, told, _ = await ask(port.url)
    assert (status, told["behind"]) == (404, None)


async def test_nothing_is_read_of_a_partition_that_does_not_run(engine: Engine, port: LookupServer) -> None:
    engine.kept.running = False
    status, told, headers = await ask(port.url)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert told == {"reason": "partition 0 is just being recovered", "again": True}
    assert engine.kept.looked == 0
    engine.stages = ()
    assert (await ask(port.url))[1]["reason"] == "this worker is starting"


async def test_a_question_that_was_sent_on_is_not_sent_on_again(engine: Engine, port: LookupServer) -> None:
    engine.partitions.clear()
    status, told, _ = await ask(port.url, **{FORWARDED: "http://127.0.0.1:1"})
    assert (status, told["again"]) == (503, True)


async def test_without_the_token_nothing_is_read(engine: Engine, port: LookupServer) -> None:
    for given, status in (("Bearer wrong", 403), ("", 401)):
        found, told, _ = await ask(port.url, Authorization=given)
        assert (found, "state" in told) == (status, False)
    assert engine.kept.looked == 0


async def test_too_many_questions_at_once_are_told_to_come_back(
    engine: Engine, port: LookupServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "QUESTIONS", 1)
    monkeypatch.setattr(server, "ENDS_S", 5.0)
    there, go_on = asyncio.Event(), asyncio.Event()

    async def slow(places: object) -> None:
        there.set()
        await go_on.wait()

    monkeypatch.setattr(engine.standing, "of", slow)
    first = asyncio.create_task(ask(port.url))
    await there.wait()
    status, told, _ = await ask(port.url)
    assert (status, told["reason"]) == (503, "too many questions at once")
    go_on.set()
    assert (await first)[0] == 404


async def test_connections_are_few_and_short(port: LookupServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    monkeypatch.setattr(server, "CONNECTION_S", 0.2)
    host, _, number = port.url.removeprefix("http://").partition(":")
    began = asyncio.get_running_loop().time()
    pairs = [await asyncio.open_connection(host, int(number)) for _ in range(3)]
    # A client that sends half a request and waits.
    for _, writer in pairs[:2]:
        writer.write(b"GET /v1/state/device/a%7Cb HTTP/1.1\r\n")
    assert await pairs[2][0].read() == b"", "one too many"
    assert asyncio.get_running_loop().time() - began < 0.2
    for reader, writer in pairs[:2]:
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_no_log_says_whom_a_request_is_about(
    engine: Engine, port: LookupServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    def fails(keys: list[bytes]) -> None:
        raise RuntimeError(f"cannot read {keys!r}")

    await ask(port.url)
    monkeypatch.setattr(engine.kept, "look", fails)
    status, told, _ = await ask(port.url)
    assert (status, told["reason"]) == (500, "an error of Ringback itself")
    host, _, number = port.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(number))
    writer.write(b"NONSENSE /v1/state/device/game%7Csecret-device\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"400" in answer.splitlines()[0]
    assert "a look-up failed: RuntimeError in fails" in caplog.text
    assert "secret-device" not in caplog.text + json.dumps(told)
    assert TOKEN not in caplog.text


async def test_a_port_in_use_stops_the_process_with_the_way_out(port: LookupServer, tmp_path: Path) -> None:
    taken = int(port.url.rpartition(":")[2])
    other = LookupServer(Engine(Settings(lookup_port=taken), tmp_path / "other"))
    with pytest.raises(Stop, match=str(taken)) as caught:
        await other.start()
    assert "RINGBACK_LOOKUP_PORT" in caught.value.remedy
    await other.close()
