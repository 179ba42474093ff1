"""How fast jobs that wait are sent, and with how much of the processor: Ringback and what else could send.

Every contestant finds the same jobs waiting, and is done when the target has had each of them. The rate is by the
times of the target.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.local.guarded import GuardedProcess
from tests.benchmarks import figures, machine, stand
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import PARTITIONS, Bed, bed
from tests.benchmarks.delivery.jobs import Method, partners
from tests.benchmarks.delivery.threads import loop_seconds
from tests.benchmarks.stand import Broken

LOOK_SECONDS = 0.2
#: Of the requests: by then all have joined, and none has run out yet.
MIDDLE = (0.1, 0.9)


@dataclass(frozen=True)
class Task:
    """So many jobs, for so many partners, with so many requests under way in all; `latency` in seconds."""

    jobs: int
    lanes: int
    in_flight: int
    method: Method = "GET"
    latency: float = 0.0


@dataclass
class Samples:
    """Taken while a contestant works."""

    sent: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    loops: list[float] = field(default_factory=list)
    broker: list[float] = field(default_factory=list)
    target: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)

    def take(self, on: Bed, process: GuardedProcess) -> None:
        """One more."""
        self.sent.append(on.target.count())
        self.own.append(machine.cpu_seconds(process))
        self.loops.append(loop_seconds(process) or 0.0)
        self.broker.append(machine.cpu_seconds(on.on.broker_process))
        self.target.append(machine.cpu_seconds(on.target.process))
        self.resident.append(machine.resident(process))

    def per_100_000(self, values: list[float], count: int) -> float | None:
        """Seconds for 100,000 requests, in the middle."""
        begin, end = (share * count for share in MIDDLE)
        found = figures.used(list(zip(self.sent, values, strict=True)), begin, end)
        return None if found is None else found * 100_000


Launch = Callable[[Bed, Task], GuardedProcess]


def _loop(on: Bed, task: Task) -> GuardedProcess:
    given = (on.on.bootstrap, on.on.delivery, "--in-flight", str(task.in_flight))
    return on.on.start(*given, module="tests.benchmarks.delivery.loop")


def _session(on: Bed, task: Task) -> GuardedProcess:
    given = ["--port", on.target.port, "--lanes", task.lanes, "--jobs", task.jobs, "--method", task.method]
    given += ["--in-flight", task.in_flight]
    return on.on.start(*map(str, given), module="tests.benchmarks.delivery.session")


CONTESTANTS: dict[str, Launch] = {
    "ringback": lambda on, _task: on.sender(),
    "ringback-quiet": lambda on, _task: on.on.start("--quiet", module="tests.benchmarks.delivery.sender"),
    "two": lambda on, _task: on.sender("--processes", "2"),
    "session": _session,
    "loop": _loop,
}
#: Those that write receipts.
THOROUGH = frozenset({"ringback", "two"})


def contest(name: str, task: Task) -> dict[str, Any]:
    """Let a contestant send all jobs.

    `rate`: requests a second, and `cpu`, `loop`, `broker`: seconds of processor for 100,000 of them: of all its
    threads, of its event loops alone, and of the broker; `target`, `others`: in % of a core. `repeated`: what came
    more than once. Raises Broken when a job is missing, or its receipt.
    """
    each = max(1, task.in_flight // task.lanes)
    with bed(partners(task.lanes, max_in_flight=each), task.method, task.latency) as on:
        on.fill(task.jobs)
        process = CONTESTANTS[name](on, task)
        samples, window = watch(on, process, task.jobs)
        found = on.target.samples()
        numbers = {one.number for one in found}
        if len(numbers) < task.jobs:
            raise Broken(f"{name}: {task.jobs - len(numbers)} jobs have not come")
        if name in THOROUGH:
            check_receipts(on, task.jobs, process)
        times = [one.at for one in found]
        return {
            "rate": figures.rate(times, *MIDDLE),
            "cpu": samples.per_100_000(samples.own, task.jobs),
            "loop": samples.per_100_000(samples.loops, task.jobs),
            "broker": samples.per_100_000(samples.broker, task.jobs),
            "target": samples.per_100_000(samples.target, task.jobs),
            "resident": max(samples.resident),
            "repeated": arrivals.repeated(one.number for one in found),
            "others": window["others"],
        }


def watch(on: Bed, process: GuardedProcess, count: int) -> tuple[Samples, dict[str, float]]:
    """Take samples until the target has had so many requests. Raises Broken."""
    alive, samples = stand.watching(process), Samples()
    parts = {"contestant": process, "broker": on.on.broker_process, "target": on.target.process}
    window = machine.Window(parts)
    deadline = time.monotonic() + stand.DEADLINE_SECONDS
    while True:
        samples.take(on, process)
        if samples.sent[-1] >= count:
            return samples, window.close()
        problem = alive()
        if problem or time.monotonic() > deadline:
            raise Broken(problem or f"{samples.sent[-1]} of {count} requests, then nothing more")
        time.sleep(LOOK_SECONDS)


class _Receipt(msgspec.Struct):
    kind: str
    job_id: str
    outcome: str


def check_receipts(on: Bed, count: int, process: GuardedProcess) -> None:
    """Wait until each job has its receipts, and raise Broken unless they say that it was delivered, once."""
    decode = msgspec.json.Decoder(_Receipt).decode
    read = stand.read(on.on.bootstrap, on.bench.topics.receipts, 2 * count, stand.watching(process), PARTITIONS)
    receipts = (decode(message.value() or b"") for message in read)
    ended = [one.job_id for one in receipts if one.kind == "terminal" and one.outcome == "delivered"]
    if len(ended) != count or len(set(ended)) != count:
        raise Broken(f"{len(set(ended))} of {count} jobs have a receipt, {len(ended)} receipts in all")


def suite(arguments: argparse.Namespace) -> Runs:
    """All contestants, GET and POST, with a target that answers at once and one that takes its time."""
    for _ in range(arguments.rounds):
        for task in tasks(arguments):
            for name in arguments.only:
                what = {"method": task.method, "latency": round(task.latency * 1000), "contestant": name}
                yield {"suite": "speed", "what": what, "measured": contest(name, task)}


def tasks(arguments: argparse.Namespace) -> Iterator[Task]:
    """What they are to do. POST is measured without a latency only."""
    for latency, in_flight in zip(arguments.latencies, arguments.in_flight, strict=True):
        yield Task(arguments.jobs, arguments.partners, in_flight, "GET", latency / 1000)
    if not arguments.no_post:
        yield Task(arguments.jobs, arguments.partners, arguments.in_flight[0], "POST")


def loads(arguments: argparse.Namespace) -> Runs:
    """From a job's append to its arrival, at a steady load."""
    for _ in range(arguments.rounds):
        for rate in arguments.rates:
            yield {"suite": "latency", "what": {"rate": rate}, "measured": latency(rate, arguments)}


def latency(rate: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """Of one sender with default settings, in ms; processor time in % of a core. The first seconds do not count."""
    with bed(partners(arguments.partners), latency=arguments.answer / 1000) as on:
        on.on.stamp(on.on.delivery)
        sender = on.sender()
        on.warm_up(sender)
        load = on.load(rate, arguments.seconds, range(arguments.partners))
        time.sleep(arguments.seconds * 0.2)
        window = machine.Window({"sender": sender, "broker": on.on.broker_process, "target": on.target.process})
        time.sleep(arguments.seconds * 0.7)
        cpu = window.close()
        load.due()
        settle(on, load.count, sender)
        appended = dict(_appended(on))
        begin = min(appended.values()) + arguments.seconds * 0.2
        arrived = {one.number: one.at for one in on.target.samples()}
        waits = arrivals.waits(arrived, {number: at for number, at in appended.items() if at >= begin})
        return figures.percentiles(waits) | {f"cpu_{name}": value for name, value in cpu.items()}


def settle(on: Bed, count: int, *senders: GuardedProcess) -> None:
    """Wait until so many jobs have come in all, beside those that opened the way."""
    wanted = count + max(on.jobs.lanes, PARTITIONS)
    deadline = time.monotonic() + stand.DEADLINE_SECONDS
    alive = stand.watching(*senders)
    while (found := on.target.count()) < wanted:
        if (problem := alive()) or time.monotonic() > deadline:
            raise Broken(problem or f"{found} of {wanted} requests")
        time.sleep(LOOK_SECONDS)


def _appended(on: Bed) -> Iterator[tuple[int, float]]:
    for message in stand.read_all(on.on.bootstrap, on.on.delivery, PARTITIONS):
        number = int(stand.decode_job(message.value() or b"").job_id, 16)
        yield number, message.timestamp()[1] / 1000
