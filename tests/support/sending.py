"""What the tests of the sender share: jobs, a configuration, a running sender, and what it wrote."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from confluent_kafka import Producer

from schemas.config import DAY, App, Configuration, Endpoint, Partner, Postback
from schemas.dead_letter import DeadLetter
from schemas.job import Job, Part, Request
from schemas.receipt import Receipt
from streams import kafka
from streams.config import topic
from streams.delivery.app import Service
from streams.delivery.lanes import LaneLimits
from streams.delivery.retry import Backoff
from streams.delivery.sender import Limits
from streams.delivery.tiers import Tiers
from streams.letters.found import is_note
from streams.reports import reading
from streams.reports.totals import totals
from streams.settings import Settings
from tests.support.topics import Sent, create_topics, produce, values
from tests.support.waiting import eventually_async

#: Time runs faster in tests: tiers of 200 ms and up, backoff from 300 ms.
QUICK = Limits(
    tiers=Tiers(base=200), backoff=Backoff(first=300, cap=1_500, least=200), lane=LaneLimits(soon=200), prefetch=1_000
)


def partner_named(name: str = "acme", **more: Any) -> Partner:
    """A partner as a test wants it."""
    return Partner(**({"id": name, "name": name, "timeout": 2_000} | more))


def postback_named(name: str = "acme-install", partner: str = "acme", **more: Any) -> Postback:
    """A postback of that partner."""
    endpoint = Endpoint(url="http://127.0.0.1/")
    own = {"id": name, "title": name, "app": "game", "partner": partner, "event": "install", "endpoint": endpoint}
    return Postback(**(own | more))


def configuration(
    partners: Sequence[Partner], postbacks: Sequence[Postback] = (), generation: int = 1
) -> Configuration:
    """A generation with these partners."""
    app = App(id="game", project="game", platform="android", bundle_id="game", device_key=("google_aid",))
    return Configuration(
        generation=generation, sources=(), apps=(app,), partners=tuple(partners), postbacks=tuple(postbacks)
    )


def job_for(url: str, number: int = 0, now: int | None = None, **more: Any) -> Job:
    """A job to send a GET to `url`; its id is `job-<number>`."""
    now = int(time.time() * 1000) if now is None else now
    parts: tuple[Part, ...] = (url,)
    own: dict[str, Any] = {
        "job_id": f"job-{number}",
        "postback_id": "acme-install",
        "partner": "acme",
        "app_id": "game",
        "event": "install",
        "record_id": f"record-{number}",
        "device_key": f"game|device-{number}",
        "generation": 1,
        "decided_at": now,
        "due_at": now,
        "max_age": 86_400_000,
        "retry_attempts": 3,
        "request": Request("GET", parts),
        "day": now // DAY,
    }
    return Job(**(own | more))


class Bench:
    """The topics of one test and what is in them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = kafka.Topics(settings.topic_prefix)

    def create(self) -> None:
        """Make all topics."""
        for row in kafka.topic_table(self.settings.topic_prefix):
            count = row.partitions(self.settings.partitions)
            create_topics(self.settings.bootstrap_servers, {row.name: count}, row.config())

    def configure(self, wanted: Configuration) -> None:
        """Write a generation as `apply` does."""
        now = int(time.time() * 1000)
        self.write(self.topics.config, [Sent(value, key) for key, value in topic.encode(wanted, now)])

    def write(self, name: str, records: Iterable[Sent]) -> None:
        """Write records."""
        produce(self.settings.bootstrap_servers, name, records)

    def decide(self, jobs: Iterable[Job], name: str | None = None) -> None:
        """Write jobs into the delivery topic, placed by device."""
        self.write(
            name or self.topics.delivery, (Sent(msgspec.json.encode(job), job.device_key.encode()) for job in jobs)
        )

    def decide_in_transaction(self, jobs: Iterable[Job]) -> None:
        """Write jobs as a worker does, control records included."""
        producer = Producer(
            {
                "bootstrap.servers": self.settings.bootstrap_servers,
                "transactional.id": f"{self.settings.topic_prefix}worker",
                "partitioner": "murmur2_random",
            }
        )
        producer.init_transactions()
        producer.begin_transaction()
        for job in jobs:
            producer.produce(self.topics.delivery, msgspec.json.encode(job), job.device_key.encode())
        producer.commit_transaction()

    def receipts(self) -> list[Receipt]:
        """All receipts."""
        found = values(self.settings.bootstrap_servers, self.topics.receipts)
        return [msgspec.json.decode(value, type=Receipt) for value in found]

    def terminal(self) -> dict[str, list[Receipt]]:
        """The terminal receipts of each job."""
        found: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in self.receipts():
            if receipt.kind == "terminal":
                found[receipt.job_id].append(receipt)
        return found

    def outcomes(self) -> Counter[str]:
        """How many jobs ended how; fails when one ended twice, or when the report topic counts otherwise."""
        ends = self.terminal()
        assert all(len(receipts) == 1 for receipts in ends.values()), "a job ended twice"
        found = Counter(receipts[0].outcome for receipts in ends.values())
        counted: Counter[str] = sum(totals(reading.counted(self.settings).rows).jobs.values(), Counter())
        assert counted == found
        return found

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, done ones too."""
        found = values(self.settings.bootstrap_servers, self.topics.dead_letters)
        return [msgspec.json.decode(value, type=DeadLetter) for value in found if not is_note(value)]


class Running:
    """A sender in this event loop."""

    def __init__(self, service: Service, task: asyncio.Task[int]) -> None:
        self.service = service
        self.task = task

    def counted(self, metric: str, **labels: str) -> float:
        """The value of a metric."""
        return self.service.metrics.registry.get_sample_value(f"ringback_{metric}", labels) or 0.0

    async def stop(self) -> int:
        """SIGTERM, as it reaches the service."""
        self.service.stopping.set()
        return await asyncio.wait_for(self.task, 60)


@asynccontextmanager
async def sending(settings: Settings, limits: Limits = QUICK) -> AsyncIterator[Running]:
    """A sender that runs meanwhile."""
    service = Service(settings, limits)
    running = Running(service, asyncio.create_task(service.run()))
    try:
        await eventually_async(lambda: service.readiness.ready or running.task.done(), within=60, what="ready")
        yield running
    finally:
        await running.stop()


async def ended(bench: Bench, count: int, within: float = 30.0) -> None:
    """Wait until so many jobs have ended."""

    def all_ended() -> bool:
        return len(bench.terminal()) >= count

    await eventually_async(
        lambda: asyncio.to_thread(all_ended), within=within, every=0.2, what=f"{count} jobs have ended"
    )
