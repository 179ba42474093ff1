"""The port on which a worker tells states: one GET for one device or user, nothing that lists.

Runs on the engine's event loop: a row is read as the pipeline reads it, in microseconds, and only while its partition
runs, so that neither closing a store nor a recovery ever meets a look-up. Rows are on disk when they are committed,
and not before: no answer is ahead of what has happened. Nothing logs whom a request is about.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from traceback import extract_tb
from typing import Protocol

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from yarl import URL

from schemas.config import Configuration
from streams.clock import Clock
from streams.engine.partition import Partition
from streams.engine.ports import CommitNow
from streams.engine.progress import Ends
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Stage, StageName, Unit
from streams.errors import USAGE, Stop
from streams.settings import Settings

from . import access, answer, routing
from .owners import Owners, Unheard
from .routing import Asked, Forward, Refusal

log = logging.getLogger(__name__)

#: So many questions are answered side by side, over so many connections; more are told to come back.
QUESTIONS = 32
CONNECTIONS = 128
#: A question is answered, and a worker that was asked on has answered, within so many seconds.
ANSWER_S = 5.0
FORWARD_S = 3.0
#: A connection serves one question and lives no longer, whatever the other side does.
CONNECTION_S = 15.0
#: An announcement that failed is made again after so many seconds.
AGAIN_S = 1.0
LINE_BYTES = 8_190
FIELD_BYTES = 2_048
FIELDS = 32
#: The largest answer that is taken from another worker: a state and what it says, and room.
FORWARDED_BYTES = 32 << 20
#: Ends of inputs are asked for at most once in so many seconds for each partition, and waited for so long.
ENDS_AGE_S = 1.0
ENDS_S = 1.0


class Host(Protocol):
    """What is asked of the engine."""

    settings: Settings
    clock: Clock
    ends: Ends
    stages: tuple[Stage, ...]
    partitions: dict[Unit, Partition]

    @property
    def configuration(self) -> Configuration | None: ...


class _Server(web.Server):
    """Bounds connections: their number, and how long each may live."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > CONNECTIONS:
            transport.abort()
        else:
            asyncio.get_running_loop().call_later(CONNECTION_S, transport.abort)


class LookupServer:
    """Answers for the partitions that this worker has, and asks the others' owners."""

    def __init__(self, host: Host) -> None:
        self._host, self._settings = host, host.settings
        self._token = host.settings.lookup_token.get_secret_value()
        self._owners = Owners(host.settings)
        self._ends: dict[Unit, tuple[dict[tuple[str, int], int], float]] = {}
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self.url = ""

    @property
    def note(self) -> str:
        """What stands beside the offsets that this worker commits, so that the others find it."""
        return routing.note(self.url)

    async def start(self) -> None:
        """Serve. Raises `Stop` when the port cannot be bound."""
        host, port = self._settings.lookup_host.strip("[]"), self._settings.lookup_port or 0
        # What the server says of requests that it cannot read quotes them, and with them their devices.
        silent = logging.Logger("silent", logging.CRITICAL + 1)
        server = _Server(
            self._guarded,
            access_log=None,
            logger=silent,
            keepalive_timeout=CONNECTION_S,
            lingering_time=0,
            max_line_size=LINE_BYTES,
            max_field_size=FIELD_BYTES,
            max_headers=FIELDS,
        )
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, backlog=CONNECTIONS).start()
        except OSError as error:
            await self._runner.cleanup()
            raise Stop(
                f"the look-up port {host}:{port} cannot be opened: {error.strerror or error}",
                "choose another one (RINGBACK_LOOKUP_PORT; 0 takes any that is free), or another RINGBACK_LOOKUP_HOST",
                USAGE,
            ) from error
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=QUESTIONS, force_close=True),
            timeout=aiohttp.ClientTimeout(total=FORWARD_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self.url = access.own_url(self._settings, self._runner.addresses[0][1], socket.gethostname())
        log.info("look-ups: %s", self.url)

    async def announce(self, partition: Partition, commit_now: CommitNow) -> None:
        """Have the group's offsets tell that a partition is ours, before there is anything new to commit."""
        while partition.running:
            if await commit_now({(topic, partition.number): at for topic, at in partition.positions.items()}):
                return
            await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """Answer no more; returns when the port is free."""
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._owners.close()

    # -- one question

    async def _guarded(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._under_way >= QUESTIONS:
            return _refuse(Refusal(503, "too many questions at once", again=True))
        self._under_way += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._answer(request)
        except TimeoutError:
            return _refuse(Refusal(503, "not answered in time", again=True))
        except Exception as error:
            # The message of an error may hold a key, or a row; where it was raised does not.
            places = " < ".join(f"{one.name}:{one.lineno}" for one in reversed(extract_tb(error.__traceback__)))
            log.error("a look-up failed: %s in %s", type(error).__name__, places)
            return _refuse(Refusal(500, "an error of Ringback itself"))
        finally:
            self._under_way -= 1

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method != "GET":
            return _refuse(Refusal(405, "GET only"))
        if (refusal := access.refused(request.headers, self._token)) is not None:
            return _refuse(refusal)
        asked = routing.asked(request.raw_path)
        if isinstance(asked, Refusal):
            return _refuse(asked)
        partitions: dict[StageName, int] = {stage.name: stage.partitions for stage in self._host.stages}
        if asked.kind not in partitions:
            return _refuse(Refusal(503, "this worker is starting", again=True))
        unit = asked.unit(partitions)
        partition = self._host.partitions.get(unit)
        elsewhere = routing.here(unit, None if partition is None else partition.running)
        if partition is not None:
            return _refuse(elsewhere) if elsewhere else await self._own(asked, partition)
        return await self._others(asked, unit, routing.FORWARDED in request.headers)

    async def _own(self, asked: Asked, partition: Partition) -> web.Response:
        # No await between these: what is read belongs together. The marker first: when a batch is written meanwhile,
        # the state is ahead of the positions, never behind them.
        marker, row = partition.look([MARKER_KEY, asked.row])
        read = {topic: partition.position(topic) for topic in partition.topics}
        now = self._host.clock.now()
        ends = await self._ends_of(partition)
        told = answer.Answer(
            kind=asked.kind,
            partition=partition.number,
            group=self._settings.worker_id,
            worker=self.url,
            at=now,
            positions=Marker.decode(marker).positions,
            behind=None if ends is None else _behind(read, ends),
        )
        if row is not None:
            told.state = answer.stored(asked, partition.number, row, self._host.configuration, now)
        return _json(answer.encode(told), 200 if row is not None else 404)

    async def _ends_of(self, partition: Partition) -> Mapping[tuple[str, int], int] | None:
        known = self._ends.get(partition.unit)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        try:
            ends = await asyncio.wait_for(self._host.ends.of(partition.inputs), ENDS_S)
        except TimeoutError:
            return None
        if ends is not None:
            self._ends[partition.unit] = ends, time.monotonic() + ENDS_AGE_S
        return ends

    # -- of another worker

    async def _others(self, asked: Asked, unit: Unit, forwarded: bool) -> web.Response:
        stage = next(stage for stage in self._host.stages if stage.name == asked.kind)
        place = (stage.topics[0], unit.number)
        try:
            noted = None if forwarded else await self._owners.noted(place)
        except Unheard:
            return _refuse(Refusal(503, "the brokers do not say which worker has it", again=True))
        where = routing.elsewhere(unit, noted, self.url, forwarded)
        if isinstance(where, Forward):
            told = await self._forward(asked, unit, where.url)
            if told.status not in (200, 404):
                self._owners.forget(place)
            return told
        self._owners.forget(place)
        return _refuse(where)

    async def _forward(self, asked: Asked, unit: Unit, url: str) -> web.Response:
        if self._session is None:
            return _refuse(Refusal(503, "this worker is stopping", again=True))
        headers = {routing.FORWARDED: self.url, **access.credentials(self._token)}
        try:
            async with self._session.get(
                URL(url + asked.path, encoded=True), headers=headers, allow_redirects=False
            ) as reply:
                body = await _body(reply)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return _refuse(Refusal(503, f"the worker that had {unit}, {url}, does not answer", again=True))
        return _passed_on(reply.status, body, url, (asked.kind, unit.number, self._settings.worker_id))


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """What it holds; nothing when that is more than an answer can be."""
    found = bytearray()
    async for chunk in reply.content.iter_any():
        found += chunk
        if len(found) > FORWARDED_BYTES:
            return b""
    return bytes(found)


def _behind(read: Mapping[str, int], ends: Mapping[tuple[str, int], int]) -> int:
    return sum(max(0, end - read.get(topic, 0)) for (topic, _), end in ends.items())


def _passed_on(status: int, body: bytes, url: str, of: tuple[StageName, int, str]) -> web.Response:
    """What the owner said, if that is an answer; `of`: what it must be about."""
    if status == 503:
        return _refuse(Refusal(503, f"the worker at {url} cannot answer yet", again=True))
    if status in (401, 403):
        return _refuse(Refusal(502, f"the worker at {url} refuses our token: give all workers the same lookup_token"))
    try:
        told = answer.decode(body)
    except msgspec.MsgspecError:
        told = None
    if told is not None and (told.kind, told.partition, told.group) != of:
        return _refuse(Refusal(503, f"another worker is at {url} by now", again=True))
    if told is None:
        return _refuse(Refusal(502, f"{url} is no worker of this kind: it answered with status {status}"))
    return _json(body, status)


def _refuse(refusal: Refusal) -> web.Response:
    body = msgspec.json.encode({"reason": refusal.reason, "again": refusal.again})
    told = _json(body, refusal.status)
    if refusal.again:
        told.headers["Retry-After"] = str(routing.AGAIN_S)
    if refusal.status == 401:
        told.headers["WWW-Authenticate"] = "Bearer"
    return told


def _json(body: bytes, status: int) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    told = web.Response(body=body, status=status, content_type="application/json", headers=headers)
    told.force_close()
    return told
