"""A partner was down, and its backlog goes out at its limit when it comes back, beside others that notice nothing.

First all others alone, then with the backlog beside them. While the partner is down it answers 500.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.delivery.tiers import Tiers
from streams.local.guarded import GuardedProcess
from tests.benchmarks import figures, machine, stand
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import PARTITIONS, Bed, Load, arrived, bed
from tests.benchmarks.delivery.delays import rewritten
from tests.benchmarks.delivery.jobs import partners
from tests.benchmarks.stand import Broken

#: The partner with the backlog, and the others.
DOWN, OTHERS = 0, range(1, 5)
LATENCY = 0.02
WINDOW = 10.0
#: The numbers of the jobs of the backlog; those of the load begin with 0.
FIRST = 1_000_000_000
LOOK_SECONDS = 0.5
#: It is told how it goes until so much of the backlog is out: the last ones are few, and late by chance.
SHARE = 0.95


@dataclass(frozen=True)
class Task:
    """A backlog of so many jobs for a partner that takes `limit` a second. It is down for `down` seconds from when all
    of the backlog has been read, and is then watched for at most `seconds`. Others have `load` jobs a second. `scale`:
    so many times faster the sender's own time runs.
    """

    jobs: int
    limit: float
    down: float
    seconds: float
    load: float
    scale: int

    @property
    def expected(self) -> float:
        """Seconds that it takes to drain, at the limit."""
        return self.jobs / self.limit

    @property
    def planned(self) -> float:
        """How often a job is written when all of them wait for their turn only."""
        usual = Tiers()
        return arrivals.mean_hops(self.expected, usual.base / 1000 / self.scale, usual.count)


def alone(task: Task, seconds: float) -> dict[str, Any]:
    """The others without the backlog: ms from due to arrival."""
    with bed(_partners(task), latency=LATENCY) as on:
        sender = on.sender(scale=task.scale)
        on.warm_up(sender)
        load = on.load(task.load, seconds, OTHERS)
        due = load.due()
        time.sleep(2.0)
        found = arrived(on.target.samples())
        return figures.percentiles(arrivals.waits(found, due)) | {"missing": len(due) - len(found)}


def beside(task: Task) -> dict[str, Any]:
    """The same with the backlog, and how that went out.

    `reading`: seconds until the sender had read all of the backlog; `p99_reading`: of the others meanwhile. `rate`:
    arrivals a second of the backlog since the partner is back, `error` of it in %. `written`: into delay topics, for
    each job; `planned`: by the delay topics alone, when each is given one time; `anew`: how many it was given.
    """
    with bed(_partners(task), latency=LATENCY) as on:
        sender = on.sender(scale=task.scale)
        on.warm_up(sender)
        on.target.set(DOWN, "fail")
        on.fill(task.jobs, DOWN, FIRST, retry_attempts=10)
        filled = time.time()
        load = on.load(task.load, task.down + _longest(task), OTHERS)
        sizes: list[float] = []
        _read(on, sender, sizes)
        read = time.time()
        _wait(sender, sizes, time.monotonic() + task.down)
        on.target.set(DOWN, "answer", LATENCY)
        back = time.time()
        _drain(on, sender, sizes, task)
        until = time.time()
        load.end()
        samples = [one for one in on.target.samples() if one.status == 200]
        told = drained(sorted(one.at for one in samples if one.lane == DOWN), back, until, task)
        told |= _others(load, arrived(one for one in samples if one.lane != DOWN), filled, read)
        return told | {
            "reading": read - filled,
            "planned": task.planned,
            "resident": max(sizes),
            **rewritten(on).told(task.jobs),
            "repeated": arrivals.repeated(one.number for one in samples),
        }


def _partners(task: Task) -> Any:
    return partners(len(OTHERS) + 1, special={DOWN: {"rate_limit": task.limit}})


def _longest(task: Task) -> float:
    """Seconds that all of it may take at most."""
    return task.seconds + stand.DEADLINE_SECONDS


def _read(on: Bed, sender: GuardedProcess, sizes: list[float]) -> None:
    """Wait until the sender has put away all that the delivery topic had when this was called."""
    group = on.on.settings.sender_group
    asks = Consumer({"bootstrap.servers": on.on.bootstrap, "group.id": group, "enable.auto.commit": False})
    places = [TopicPartition(on.on.delivery, number) for number in range(PARTITIONS)]
    ends = {one.partition: asks.get_watermark_offsets(one, timeout=30)[1] for one in places}
    deadline = time.monotonic() + stand.DEADLINE_SECONDS
    while True:
        _wait(sender, sizes, time.monotonic() + LOOK_SECONDS)
        try:
            if all(one.offset >= ends[one.partition] for one in asks.committed(places, timeout=10)):
                break
        except KafkaException:
            continue
        if time.monotonic() > deadline:
            raise Broken("the backlog has not been read in time")
    asks.close()


def _wait(sender: GuardedProcess, sizes: list[float], until: float) -> None:
    """Let time pass, and look at the sender's memory meanwhile. Raises Broken."""
    while True:
        sizes.append(machine.resident(sender))
        if problem := stand.watching(sender)():
            raise Broken(problem)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(LOOK_SECONDS, left))


def _drain(on: Bed, sender: GuardedProcess, sizes: list[float], task: Task) -> None:
    """Wait until all of the backlog has come, or the time for it is over."""
    before = on.target.count(DOWN)
    deadline = time.monotonic() + task.seconds
    while on.target.count(DOWN) < before + task.jobs and time.monotonic() < deadline:
        _wait(sender, sizes, time.monotonic() + LOOK_SECONDS)


def drained(times: Sequence[float], back: float, until: float, task: Task) -> dict[str, Any]:
    """How the backlog went out (`times` in order), from the first success after the partner was `back`, to when most of
    it was out, or to when nobody looked any more. Raises Broken when nothing came.
    """
    times = [at for at in times if at >= back]
    if not times:
        raise Broken("the partner is back, and nothing came")
    most = round(SHARE * task.jobs)
    end = times[most - 1] if len(times) >= most else until
    counted = [at for at in times if times[0] < at <= end]
    rate = len(counted) / (end - times[0])
    windows = arrivals.per_window(counted, times[0], end, WINDOW)
    return {
        "silent": times[0] - back,
        "rate": rate,
        "error": arrivals.error(rate, task.limit),
        "least": min(windows, default=rate),
        "most": max(windows, default=rate),
        "within_second": arrivals.most_within(counted, 1.0),
        "windows": windows,
        "arrived": len(times) / task.jobs,
    }


def _others(load: Load, found: Mapping[int, float], filled: float, read: float) -> dict[str, Any]:
    """The others' ms from due to arrival, of the time after the backlog had been read, and `p99_reading` of before."""
    due = load.due()
    last = max(found.values())
    after = {number: at for number, at in due.items() if read <= at < last - 1.0}
    before = {number: at for number, at in due.items() if filled <= at < read}
    reading = figures.percentiles(arrivals.waits(found, before)) if before else {"p99": None}
    told: dict[str, Any] = dict(figures.percentiles(arrivals.waits(found, after)))
    return told | {"p99_reading": reading["p99"], "missing": len(set(after) - set(found))}


def suite(arguments: argparse.Namespace) -> Runs:
    """The others alone, then beside the backlog."""
    task = Task(
        arguments.backlog,
        arguments.backlog_limit,
        arguments.down,
        arguments.drain or arguments.backlog / arguments.backlog_limit * 1.5 + 60,
        arguments.backlog_load,
        arguments.scale,
    )
    for _ in range(arguments.rounds):
        calm = alone(task, min(task.seconds, 60.0))
        yield {"suite": "backlog", "what": {"backlog": 0, "limit": task.limit}, "measured": calm}
        measured = beside(task)
        measured["p99_more"] = (measured["p99"] / calm["p99"] - 1) * 100
        yield {"suite": "backlog", "what": {"backlog": task.jobs, "limit": task.limit}, "measured": measured}
