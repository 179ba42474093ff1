"""The main job on real parts: broker, `ringback` processes, a partner that records, and what it received in the end."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from schemas.report import DECIDED
from streams.kafka import Topics
from streams.local.guarded import GuardedProcess
from streams.reports import reading
from streams.reports.totals import totals
from streams.settings import Settings
from tests.acceptance import shop
from tests.acceptance.counted import Counted
from tests.support.processes import Start, starting
from tests.support.waiting import eventually

#: Where the test itself calls the partner: what that has received before is written before this.
MARK = "/mark/"

Order = Literal["installs first", "events first", "backlog"]


class Log:
    """What the partner has received so far: read on from where it was read before."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0
        self.marked = ""
        self.times: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()

    def read(self) -> int:
        """How many different jobs it has received."""
        if self._path.exists():
            with self._path.open() as file:
                file.seek(self._position)
                while (line := file.readline()).endswith("\n"):
                    self._position = file.tell()
                    job, _, target = line.rstrip().partition("\t")
                    if target.startswith(MARK):
                        self.marked = target
                        continue
                    self.times[job] += 1
                    if self.times[job] == 1:
                        self.paths[target.partition("?")[0]] += 1
        return len(self.times)

    @property
    def repeated(self) -> int:
        """How many requests were not the first of their job."""
        return self.times.total() - len(self.times)

    def read_all(self, url: str) -> None:
        """Read what it has received by now, what is not yet in its log included; `url` is where it listens."""
        mark = f"{MARK}{time.monotonic_ns()}"
        urllib.request.urlopen(url + mark, timeout=10).close()
        eventually(lambda: self.read() >= 0 and self.marked == mark, what="the partner's log is written")


class Receipts:
    """The terminal receipts so far, read committed."""

    def __init__(self, settings: Settings) -> None:
        topic = Topics(settings.topic_prefix).receipts
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "group.id": "reads-only",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        found = self._consumer.list_topics(topic, timeout=10).topics[topic]
        self._consumer.assign([TopicPartition(topic, number, 0) for number in found.partitions])
        self.outcomes: Counter[str] = Counter()
        self.jobs: Counter[str] = Counter()

    def read(self) -> int:
        """How many jobs have ended."""
        while messages := self._consumer.consume(10_000, 0.2):
            for message in messages:
                receipt = json.loads(message.value() or b"{}")
                if receipt.get("kind") == "terminal":
                    self.outcomes[receipt["outcome"]] += 1
                    self.jobs[receipt["job_id"]] += 1
        return self.jobs.total()

    def close(self) -> None:
        self._consumer.close()


class Outcome(NamedTuple):
    """What a run ended with. `received` counts each job once; `repeated` are the requests beyond that, `unexplained`
    those of them that no kill explains: the job had ended before it, or had not been sent.

    `checked` is what `ringback report --check` says: at the end and, without kills, under way. `reported` is what
    `ringback report` shows of derived events, `decided` what the workers have counted by postback.
    """

    received: Counter[shop.Which]
    repeated: int
    unexplained: int
    terminal: Counter[str]
    ended_more_than_once: int
    seconds: float
    checked: list[str]
    reported: Counter[Counted]
    decided: Counter[str]


class Job:
    """One run of the shop. Processes are restarted by `kill_worker` and `kill_sender`."""

    def __init__(self, settings: Settings, start: Start, folder: Path, data: Path, grace: str) -> None:
        self.settings, self._start, self._folder = settings, start, folder
        self.installs = next(data.glob("*installs.jsonl.gz"))
        self.events = next(data.glob("*events.jsonl.gz"))
        self.expected = shop.expected(self.installs, self.events)
        self.log = Log(folder / "received")
        partner = start("--log", str(folder / "received"), module="streams.local.partner")
        eventually(lambda: "http://" in partner.output(), what="the partner listens")
        self._partner = partner.output().split()[0].rstrip("/")
        #: How many kills each job was under way at: sent, and no receipt of its end committed.
        self.under_way: Counter[str] = Counter()
        shop.write_configuration(folder / "config", self._partner, prefix=settings.topic_prefix, grace=grace)
        self._run("apply", str(folder / "config"))
        self._run("topics", "create")
        self.receipts = Receipts(settings)
        self.worker: GuardedProcess | None = None
        self.sender: GuardedProcess | None = None

    def _run(self, *arguments: str) -> None:
        process = self._start(*arguments)
        assert process.wait(300) == 0, process.output()

    def _ask(self, *arguments: str) -> str:
        """What a command says."""
        process = self._start(*arguments)
        process.wait(300)
        return process.output()

    def check(self) -> str:
        """Whether the counts agree."""
        return self._ask("report", "--check").strip()

    def report(self) -> tuple[Counter[Counted], Counter[str]]:
        """The derived events by day, event and partner, and the jobs decided by postback."""
        shown = json.loads(self._ask("report", "--from", "2000-01-01", "--by", "day,partner,event", "--format", "json"))
        found = {(line["day"], line["event"], line["partner"]): line["events"] for line in shown}
        decided: Counter[str] = Counter()
        for jobs, counts in totals(reading.counted(self.settings).rows).jobs.items():
            decided[jobs.postback_id] += counts[DECIDED]
        return Counter({which: count for which, count in found.items() if count}), +decided

    def feed(self, path: Path, topic: str) -> None:
        self._run("feed", str(path), "--source", self.settings.topic_prefix + topic)

    def start_worker(self) -> None:
        self.worker = self._start("worker")

    def start_sender(self) -> None:
        self.sender = self._start("sender")

    def kill_worker(self) -> None:
        """kill -9, and a new one at once."""
        assert self.worker is not None
        self.worker.kill()
        self.start_worker()

    def kill_sender(self) -> None:
        """kill -9, and a new one as soon as it is known what it had under way."""
        assert self.sender is not None
        self.sender.kill()
        self.log.read_all(self._partner)
        self.receipts.read()
        assert self.receipts.jobs, "what ended is seen"
        self.under_way.update(self.log.times.keys() - self.receipts.jobs.keys())
        self.start_sender()

    @property
    def unexplained(self) -> int:
        """How many requests were repeated beyond once for each kill that their job was under way at."""
        return sum(max(0, times - 1 - self.under_way[job]) for job, times in self.log.times.items())

    def alive(self) -> None:
        """Raises RuntimeError, which no waiting swallows, when worker or sender has ended by itself."""
        for process in (self.worker, self.sender):
            if process is not None and not process.running:
                raise RuntimeError(f"ended with status {process.exit_code}:\n{process.log_tail()}")

    def wait_for(self, share: float, within: float) -> None:
        """Until the partner has received this share of all jobs."""
        wanted = int(self.expected.total() * share)

        def enough() -> bool:
            self.alive()
            return self.log.read() >= wanted

        eventually(enough, within=within, every=0.2, what=f"{wanted} jobs are received")

    def finish(self, within: float) -> tuple[Counter[shop.Which], Counter[str]]:
        """Until every job has ended and what was expected has arrived."""
        total = self.expected.total()

        def done() -> bool:
            self.alive()
            return self.receipts.read() >= total and self.log.read() >= total

        try:
            eventually(done, within=within, every=0.5)
        except AssertionError:
            print(f"received {self.log.read()}, ended {self.receipts.read()} of {total}", file=sys.stderr)
            raise
        received = Counter({tuple(path.strip("/").split("/")): n for path, n in self.log.paths.items()})
        return received, self.receipts.outcomes  # type: ignore[return-value]


@contextmanager
def prepared(settings: Settings, folder: Path, data: Path, grace: str) -> Iterator[Job]:
    """A job whose topics and configuration are there, and nothing runs yet but the partner."""
    with starting(settings, folder) as start:
        job = Job(settings, start, folder, data, grace)
        try:
            yield job
        finally:
            job.receipts.close()


def run(
    settings: Settings,
    folder: Path,
    *,
    data: Path = shop.DATA,
    order: Order = "installs first",
    kills: int = 0,
    grace: str = "20s",
    within: float = 240,
) -> Outcome:
    """The whole job: feed, decide, deliver; `kills` times kill -9 of worker and sender on the way."""
    started = time.monotonic()
    checked: list[str] = []
    with prepared(settings, folder, data, grace) as job:
        if order != "backlog":
            job.start_worker()
            job.start_sender()
        feeds = [(job.installs, "installs"), (job.events, "events")]
        for path, topic in feeds if order == "installs first" else reversed(feeds):
            job.feed(path, topic)
            if kills and job.worker:
                job.kill_worker()
        if order == "backlog":
            job.start_worker()
            job.start_sender()
        if not kills:
            job.wait_for(0.2, within)
            checked.append(job.check())
        for number in range(kills):
            job.wait_for((number + 0.5) / (kills + 1), within)
            job.kill_sender()
            job.wait_for((number + 1) / (kills + 1), within)
            job.kill_worker()
            job.kill_sender()
        received, terminal = job.finish(within)
        twice = sum(1 for times in job.receipts.jobs.values() if times > 1)
        seconds = time.monotonic() - started
        checked.append(job.check())
        repeated, unexplained = job.log.repeated, job.unexplained
        return Outcome(received, repeated, unexplained, terminal, twice, seconds, checked, *job.report())
