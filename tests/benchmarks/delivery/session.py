"""A peer: a tuned aiohttp ClientSession in a loop, without Kafka: `python -m tests.benchmarks.delivery.session`.

The requests are made before the first is sent. As fast as the documentation allows: no limit of its own beside the
number of requests under way, no cookies, no decompression, no redirects, URLs taken as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from typing import NamedTuple

import aiohttp
from yarl import URL

from tests.benchmarks.delivery.jobs import Jobs


class Ready(NamedTuple):
    """A request."""

    url: str
    headers: dict[str, str]
    body: bytes | None


def tuned() -> aiohttp.ClientSession:
    """The session that the peers send with. Make it inside the event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=10),
        auto_decompress=False,
        trust_env=False,
    )


async def send(session: aiohttp.ClientSession, method: str, one: Ready) -> int:
    """Send one request and read its answer; the status."""
    url = URL(one.url, encoded=True)
    async with session.request(method, url, headers=one.headers, data=one.body, allow_redirects=False) as response:
        await response.read()
        return response.status


def prepared(jobs: Jobs, count: int) -> list[Ready]:
    """The requests of the first jobs."""
    now = int(time.time() * 1000)
    found = []
    for number in range(count):
        job = jobs.job(number, now, now)
        headers = {"Idempotency-Key": job.job_id}
        headers |= {name: "".join(map(str, parts)) for name, parts in job.request.headers}
        body = None if job.request.body is None else "".join(map(str, job.request.body)).encode()
        found.append(Ready("".join(map(str, job.request.url)), headers, body))
    return found


async def run(method: str, requests: list[Ready], in_flight: int) -> None:
    """Send all."""
    waiting: Iterator[Ready] = iter(requests)
    async with tuned() as session:

        async def one_after_the_other() -> None:
            for request in waiting:
                await send(session, method, request)

        await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    # Who measures looks at this process for a little longer than it works.
    await asyncio.sleep(3600)


def main() -> None:
    """Send and stay."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--lanes", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--method", default="GET")
    parser.add_argument("--in-flight", type=int, default=100)
    arguments = parser.parse_args()
    requests = prepared(Jobs(arguments.port, arguments.lanes, arguments.method), arguments.jobs)
    asyncio.run(run(arguments.method, requests, arguments.in_flight))


if __name__ == "__main__":
    main()
