"""The recording partner over real sockets."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from streams.local.exchange import CLOSE, HANG, RESET, Answer, retry_after
from streams.local.guarded import GuardedProcess
from streams.local.partner import Partner, in_thread
from tests.support.processes import ROOT
from tests.support.waiting import eventually, eventually_async


async def test_records_what_it_receives() -> None:
    async with Partner() as partner, aiohttp.ClientSession() as client:
        answer = await client.post(partner.url("/i?x=1"), data=b"body", headers={"Idempotency-Key": "j1"})
        assert answer.status == 200
    (request,) = partner.requests
    assert (request.method, request.target, request.body, request.job_id) == ("POST", "/i?x=1", b"body", "j1")
    assert abs(request.at - time.time() * 1000) < 10_000


async def test_answers_one_after_the_other_by_the_longest_path() -> None:
    async with Partner() as partner, aiohttp.ClientSession() as client:
        partner.answer("/a", Answer(status=500), retry_after("7"), Answer(status=204))
        partner.answer("/a/b", Answer(status=418))
        statuses = []
        for path in ("/a", "/a", "/a/b", "/a", "/a", "/other"):
            async with client.get(partner.url(path)) as answer:
                statuses.append(answer.status)
        assert statuses == [500, 429, 418, 204, 204, 200]


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with Partner() as partner:
        partner.answer("/slow", Answer(delay=0.1, body=b"slow"))
        partner.answer("/fast", Answer(body=b"fast"))
        reader, writer = await asyncio.open_connection("127.0.0.1", partner.port)
        writer.write(b"GET /slow HTTP/1.1\r\n\r\nGET /fast HTTP/1.1\r\n\r\n")
        written = await reader.readuntil(b"fast")
        assert written.index(b"slow") < written.index(b"fast")
        writer.close()


@pytest.mark.parametrize("answer", [CLOSE, RESET, Answer(raw=b"nonsense\r\n\r\n", ending="close")])
async def test_can_break_off(answer: Answer) -> None:
    async with Partner() as partner, aiohttp.ClientSession() as client:
        partner.answer("/", answer)
        with pytest.raises(aiohttp.ClientError):
            await client.post(partner.url())
        assert partner.in_flight == 0


@pytest.mark.parametrize("answer", [HANG, Answer(body=b"1234567890", drip=0.2), Answer(body=b"x" * 1000, endless=True)])
async def test_can_keep_a_client_waiting_for_ever(answer: Answer) -> None:
    timeout = aiohttp.ClientTimeout(total=0.3)
    async with Partner() as partner, aiohttp.ClientSession(timeout=timeout) as client:
        partner.answer("/", answer)
        with pytest.raises(TimeoutError):
            async with client.get(partner.url()) as given:
                await given.read()
        await eventually_async(lambda: partner.in_flight == 0)


async def test_counts_what_is_in_flight() -> None:
    async with Partner() as partner, aiohttp.ClientSession() as client:
        partner.answer("/", Answer(delay=0.1))
        await asyncio.gather(*(client.get(partner.url()) for _ in range(7)))
        assert partner.most_in_flight == 7
        assert partner.in_flight == 0


def test_runs_beside_a_test_without_an_event_loop() -> None:
    async def call(url: str) -> None:
        async with aiohttp.ClientSession() as client:
            await client.get(url)

    with in_thread() as partner:
        asyncio.run(call(partner.url("/x")))
        assert [request.target for request in partner.requests] == ["/x"]


async def test_as_a_process_writes_a_line_for_each_request(tmp_path: Path) -> None:
    log = tmp_path / "requests"
    command = [sys.executable, "-m", "streams.local.partner", "--log", str(log), "--answer", "/no", '{"status": 503}']
    partner = GuardedProcess(["env", f"PYTHONPATH={ROOT}", *command], tmp_path / "out")
    try:
        url = await eventually_async(lambda: partner.output().strip())
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{url}no?a=1", headers={"Idempotency-Key": "j1"}) as answer:
                assert answer.status == 503
            await client.get(f"{url}yes")
        eventually(lambda: log.read_text() == "j1\t/no?a=1\n-\t/yes\n")
        assert partner.end(10) == 0
        assert "2 requests" in partner.output()
    finally:
        partner.kill()


async def test_as_a_process_answers_a_path_in_turn(tmp_path: Path) -> None:
    turns = ["--answer", "/a", '{"status": 503}', "--answer", "/b", '{"status": 418}', "--answer", "/a", "{}"]
    command = [sys.executable, "-m", "streams.local.partner", *turns]
    partner = GuardedProcess(["env", f"PYTHONPATH={ROOT}", *command], tmp_path / "out")
    try:
        url = await eventually_async(lambda: partner.output().strip())
        statuses = []
        async with aiohttp.ClientSession() as client:
            for path in ("a", "b", "a", "a"):
                async with client.get(url + path) as answer:
                    statuses.append(answer.status)
        assert statuses == [503, 418, 200, 200]
    finally:
        partner.kill()


@pytest.mark.parametrize("module", ["streams.local.partner", "streams.demo.partner"])
def test_as_a_process_says_that_its_port_is_in_use(module: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", module, "--port", str(port)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    said = f"Port {port} is in use.\nChoose another port, or none to get a free one.\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", said)
