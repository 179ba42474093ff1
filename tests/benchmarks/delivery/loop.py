"""A peer: what one writes in an afternoon. A Kafka consumer, an aiohttp session, and a commit behind each batch:
`python -m tests.benchmarks.delivery.loop`.

It has no receipts, no retries, no limits of partners; a batch waits for its slowest request.
"""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
import orjson
from confluent_kafka import Consumer

from tests.benchmarks.delivery.session import Ready, send, tuned

BATCH = 1_000


async def run(consumer: Consumer, in_flight: int) -> None:
    """Send for ever."""
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(in_flight)
    async with tuned() as session:
        while True:
            messages = await loop.run_in_executor(None, consumer.consume, BATCH, 0.05)
            values = [message.value() for message in messages if message.error() is None]
            if values:
                await asyncio.gather(*(_send(session, slots, value or b"") for value in values))
                await loop.run_in_executor(None, lambda: consumer.commit(asynchronous=False))


async def _send(session: aiohttp.ClientSession, slots: asyncio.Semaphore, value: bytes) -> None:
    async with slots:
        job = orjson.loads(value)
        method, url, *more = job["request"]
        headers = {"Idempotency-Key": job["job_id"]}
        headers |= {name: "".join(parts) for name, parts in (more[0] if more else ())}
        body = "".join(more[1]).encode() if len(more) > 1 and more[1] is not None else None
        await send(session, method, Ready("".join(url), headers, body))


def main() -> None:
    """Consume and send."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("--in-flight", type=int, default=100)
    arguments = parser.parse_args()
    consumer = Consumer(
        {
            "bootstrap.servers": arguments.bootstrap,
            "group.id": "afternoon",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([arguments.topic])
    asyncio.run(run(consumer, arguments.in_flight))


if __name__ == "__main__":
    main()
