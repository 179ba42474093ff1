"""What a measurement of the sender runs on: a broker of its own, the topics, a configuration, the target, and the
sender. Everything blocks.
"""

from __future__ import annotations

import time
import urllib.request
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from schemas.config import Partner
from schemas.job import Job
from streams.config import topic
from streams.local.guarded import GuardedProcess
from tests.benchmarks import stand
from tests.benchmarks.delivery import jobs as making
from tests.benchmarks.delivery.behaviour import Kind
from tests.benchmarks.delivery.jobs import WARM, Jobs, Method
from tests.benchmarks.delivery.load import producer
from tests.benchmarks.delivery.samples import Sample, Samples
from tests.benchmarks.stand import Broken, Stand
from tests.support.processes import starting
from tests.support.sending import Bench

PARTITIONS = 8
SETTINGS = {"sender_metrics_port": 0, "egress_allow": "127.0.0.0/8", "log_level": "warning"}
LOOK_SECONDS = 0.1
READY_SECONDS = 60.0


class TargetProcess:
    """The target, and the orders it takes."""

    def __init__(self, process: GuardedProcess, samples: Path) -> None:
        self.process, self._samples = process, samples
        _await(lambda: bool(process.output().strip()), process.log_tail, "the target's port")
        self.port = int(process.output().split()[0])

    def set(self, lane: int, kind: Kind, latency: float = 0.0, limit: int = 0) -> None:
        """Treat a lane so from now on; `latency` in seconds."""
        self._order(f"set/{lane}/{kind}/{round(latency * 1000)}/{limit}")

    def count(self, lane: int | None = None) -> int:
        """How many requests have come."""
        return int(self._order("count" if lane is None else f"count/{lane}"))

    def samples(self) -> list[Sample]:
        """All that have come, but those that opened the way."""
        self._order("dump")
        return [one for one in Samples.read(self._samples) if one.number < WARM]

    def _order(self, order: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/{order}", timeout=30) as answer:
            text: str = answer.read().decode()
        return text


class Bed:
    """A stand with a target and jobs for it."""

    def __init__(self, on: Stand, target: TargetProcess, lanes: int, method: Method) -> None:
        self.on, self.target = on, target
        self.jobs = Jobs(target.port, lanes, method)
        self.bench = Bench(on.settings)

    def prepare(self, partners: Iterable[Partner]) -> None:
        """Make the topics, and a generation with these partners."""
        self.bench.create()
        writer = producer(self.on.bootstrap)
        for key, value in topic.encode(making.configuration(partners), int(time.time() * 1000)):
            writer.produce(self.bench.topics.config, value, key)
        writer.flush()

    def decide(self, jobs: Iterable[Job]) -> None:
        """Write jobs, over all partitions; returns when the broker has them."""
        writer = producer(self.on.bootstrap)
        for order, job in enumerate(jobs):
            while True:
                try:
                    key, partition = job.device_key.encode(), making.place(order, self.jobs.lanes, PARTITIONS)
                    writer.produce(self.on.delivery, making.encode(job), key, partition)
                    break
                except BufferError:
                    writer.poll(0.05)
        writer.flush()

    def fill(self, count: int, lane: int | None = None, first: int = 0, retry_attempts: int = 3) -> None:
        """Write so many jobs that are due now."""
        now = int(time.time() * 1000)
        jobs = Jobs(self.target.port, self.jobs.lanes, self.jobs.method, retry_attempts)
        self.decide(jobs.job(number, now, now, lane) for number in range(first, first + count))

    def sender(self, *arguments: str, scale: int = 1) -> GuardedProcess:
        """Ringback's sender, as in production unless time is to run faster."""
        if scale == 1:
            return self.on.start("sender", *arguments)
        return self.on.start("--scale", str(scale), *arguments, module="tests.benchmarks.delivery.sender")

    def warm_up(self, *senders: GuardedProcess) -> None:
        """Returns when the senders have shared the partitions, and one job has come through each lane and partition."""
        alive = stand.watching(*senders)
        _await(lambda: self._members() == len(senders), alive, "the senders in their group")
        now = int(time.time() * 1000)
        count = max(self.jobs.lanes, PARTITIONS)
        before = self.target.count()
        self.decide(self.jobs.job(WARM + number, now, now, number % self.jobs.lanes) for number in range(count))
        _await(lambda: self.target.count() >= before + count, alive, "the first jobs")

    def _members(self) -> int:
        admin = AdminClient({"bootstrap.servers": self.on.bootstrap, "log_level": 3})
        group = self.on.settings.sender_group
        try:
            found = admin.describe_consumer_groups([group])[group].result(10)
        except KafkaException:
            return 0
        return len(found.members) if found.state == ConsumerGroupState.STABLE else 0

    def load(self, rate: float, seconds: float, lanes: range, **options: int) -> Load:
        """A steady load to these lanes. `options` are those of `load`."""
        return Load(self, rate, round(rate * seconds), lanes, options)


class Load:
    """A process that writes jobs. It has begun when this is made."""

    def __init__(self, bed: Bed, rate: float, count: int, lanes: range, options: dict[str, int]) -> None:
        self.first, self.count = options.get("first", 0), count
        self._file = bed.on.folder / f"due-{self.first}"
        given = [bed.on.bootstrap, bed.on.delivery, str(rate), str(count), "--port", str(bed.target.port)]
        given += ["--lanes", str(lanes.start), str(lanes.stop), "--partitions", str(PARTITIONS)]
        given += ["--due", str(self._file)]
        given += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self.process = bed.on.start(*given, module="tests.benchmarks.delivery.load")
        _await(lambda: "started" in self.process.output(), self._problem, "the load")
        self.began = time.time()

    def _problem(self) -> str | None:
        return None if self.process.running or self.process.exit_code == 0 else self.process.log_tail()

    def end(self) -> None:
        """Have it end before its time."""
        self.process.terminate()

    def due(self) -> dict[int, float]:
        """When each job was due, seconds since 1970. Waits for the end of the load."""
        if self.process.wait(stand.DEADLINE_SECONDS):
            raise Broken(self.process.log_tail())
        found = array("q")
        with self._file.open("rb") as file:
            found.frombytes(file.read())
        return {self.first + place: at / 1000 for place, at in enumerate(found)}


@contextmanager
def bed(partners: list[Partner], method: Method = "GET", latency: float = 0.0, **settings: Any) -> Iterator[Bed]:
    """A bed whose target answers all lanes after so many seconds."""
    with stand.stand(PARTITIONS, **(SETTINGS | settings)) as on:
        yield _made(on, partners, method, latency)


@contextmanager
def two_beds(partners: list[Partner], latency: float = 0.0) -> Iterator[tuple[Bed, Bed]]:
    """Two beds on one broker, with targets, topics and groups of their own."""
    with stand.stand(PARTITIONS, **SETTINGS) as on, ExitStack() as opened:
        found = []
        for name in ("one", "other"):
            folder = on.folder / name
            folder.mkdir()
            own = {"topic_prefix": f"{name}.", "sender_group": f"{name}-sender"}
            settings = on.settings.model_copy(update=own)
            start = opened.enter_context(starting(settings, folder))
            found.append(_made(Stand(on.broker, settings, folder, start), partners, "GET", latency))
        yield found[0], found[1]


def _made(on: Stand, partners: list[Partner], method: Method, latency: float) -> Bed:
    samples = on.folder / "samples"
    given = ("--samples", str(samples), "--hosts", str(len(partners)), "--latency", str(latency))
    target = TargetProcess(on.start(*given, module="tests.benchmarks.delivery.target"), samples)
    found = Bed(on, target, len(partners), method)
    found.prepare(partners)
    return found


def arrived(samples: Iterable[Sample]) -> dict[int, float]:
    """When each job was first answered with success."""
    found: dict[int, float] = {}
    for one in samples:
        if one.status == 200:
            found.setdefault(one.number, one.at)
    return found


def _await(wanted: Callable[[], bool], problem: Callable[[], str | None], what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not wanted():
        if time.monotonic() > deadline:
            raise Broken(f"{what}: not within {READY_SECONDS:.0f} s; {problem() or ''}")
        time.sleep(LOOK_SECONDS)
