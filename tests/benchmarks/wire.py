"""What it costs to send one request: the sender's wire beside the same thing with aiohttp's client.

`python -m tests.benchmarks.wire`: both in turn in one process, against a partner in another one that costs next to
nothing; CPU seconds of the sending process per 100,000 requests, and requests per second, medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import aiohttp
from yarl import URL

from streams.delivery.egress import Guard
from streams.delivery.wire import HttpWire
from streams.local.guarded import GuardedProcess
from streams.templates.finish import Finished
from tests.benchmarks.delivery.bed import TargetProcess

TIMEOUT_MS = 10_000
HEADERS = [("Idempotency-Key", "0123456789abcdef0123456789abcdef")]
Send = Callable[[str], Awaitable[int | None]]


class Figure(NamedTuple):
    """Of one round."""

    cpu_seconds: float
    per_second: float


@contextmanager
def target(latency: float = 0.0) -> Iterator[str]:
    """The target of the sender's benchmarks, which answers after so many milliseconds; gives the URL of one lane."""
    with TemporaryDirectory(prefix="ringback-wire-") as folder:
        samples = Path(folder) / "samples"
        options = ["--samples", str(samples), "--latency", str(latency / 1000)]
        command = [sys.executable, "-m", "tests.benchmarks.delivery.target", *options]
        process = GuardedProcess(command, Path(folder) / "log")
        try:
            yield f"http://127.0.0.1:{TargetProcess(process, samples).port}/0"
        finally:
            process.kill()


async def many(send: Send, url: str, count: int, at_once: int) -> None:
    """Send `count` requests, `at_once` of them at a time. Raises RuntimeError when one is not answered with 200."""
    numbers = iter(range(count))

    async def one_after_another() -> None:
        for number in numbers:
            if await send(f"{url}/{number}?click_id={number}&aid=38400000-8cf0-11bd-b23e-10b96e40000d&p=%2C") != 200:
                raise RuntimeError("a request was not answered")

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))


async def measured(send: Send, url: str, count: int, at_once: int) -> Figure:
    """One round, warm: every connection is there before."""
    await many(send, url, 2 * at_once, at_once)
    gc.collect()
    cpu, wall = time.process_time(), time.monotonic()
    await many(send, url, count, at_once)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    return Figure(cpu / count * 100_000, count / wall)


async def ours(url: str, count: int, at_once: int) -> Figure:
    """The wire."""
    wire = HttpWire(Guard(["127.0.0.0/8"]))

    async def send(to: str) -> int | None:
        return (await wire.send(Finished("GET", to, HEADERS, None), TIMEOUT_MS)).status

    try:
        return await measured(send, url, count, at_once)
    finally:
        await wire.close()


async def aiohttp_tuned(url: str, count: int, at_once: int) -> Figure:
    """A `ClientSession` with all switched off that the wire does not do either."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        skip_auto_headers=("Accept-Encoding", "Content-Type"),
    ) as session:

        async def send(to: str) -> int | None:
            async with session.get(URL(to, encoded=True), headers=HEADERS, allow_redirects=False) as response:
                await response.read()
                return response.status

        return await measured(send, url, count, at_once)


CONTESTANTS = {"aiohttp, tuned": aiohttp_tuned, "the wire": ours}


def main() -> None:
    """Run the rounds, then print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.wire", description=__doc__)
    parser.add_argument("--requests", type=int, default=30_000, help="of each round")
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.0, help="of the partner, milliseconds")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    figures: dict[str, list[Figure]] = {name: [] for name in CONTESTANTS}
    with target(given.latency) as url:
        for _ in range(given.rounds):
            for name, contestant in CONTESTANTS.items():
                figures[name].append(asyncio.run(contestant(url, given.requests, given.at_once)))
    print(f"{given.at_once} at once, {given.latency:g} ms latency, medians of {given.rounds} × {given.requests:,}")
    print(f"{'':16} {'CPU s/100,000':>14} {'requests/s':>12}  CPU of each round")
    for name, rounds in figures.items():
        cpu = statistics.median(one.cpu_seconds for one in rounds)
        rate = statistics.median(one.per_second for one in rounds)
        print(f"{name:16} {cpu:14.2f} {rate:12,.0f}  {' '.join(f'{one.cpu_seconds:.2f}' for one in rounds)}")


if __name__ == "__main__":
    main()
