"""Whether jobs with random delays come when they are due: never early, hardly late, in constant memory."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from streams.local.guarded import GuardedProcess
from tests.benchmarks import figures, machine, stand
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import Bed, arrived, bed
from tests.benchmarks.delivery.jobs import WARM, partners
from tests.benchmarks.stand import Broken
from tests.support.topics import records

LANES = 20
#: The longest delay that a postback may have, in ms.
LONGEST = 600_000
LOOK_SECONDS = 1.0
#: Beyond the last moment at which one is due, in seconds.
PATIENCE = 60.0


def measure(jobs: int, rate: float, scale: int) -> dict[str, Any]:
    """`early`: how many came before they were due; ms from due to arrival of the others; MiB of the sender a third of
    the way, and at most; how often a job was written into the delay topics.
    """
    with bed(partners(LANES)) as on:
        sender = on.sender(scale=scale)
        on.warm_up(sender)
        longest = LONGEST // scale
        load = on.load(rate, jobs / rate, range(LANES), delay=longest)
        sizes, cpu = _watch(on, sender, jobs, jobs / rate + longest / 1000)
        found = arrived(on.target.samples())
        if len(found) < jobs:
            raise Broken(f"{jobs - len(found)} of {jobs} jobs have not come; {sender.log_tail()}")
        waits = arrivals.waits(found, load.due())
        return figures.percentiles(waits) | {
            "early": sum(wait < 0 for wait in waits),
            "resident": sizes[len(sizes) // 3],
            "resident_most": max(sizes),
            "cpu_sender": cpu,
            **rewritten(on).told(jobs),
        }


def _watch(on: Bed, sender: GuardedProcess, jobs: int, seconds: float) -> tuple[list[float], float]:
    """The sender's memory at each look until all have come, and what it used of a core, in %."""
    sizes, alive = [machine.resident(sender)], stand.watching(sender)
    window = machine.Window({"sender": sender, "target": on.target.process, "broker": on.on.broker_process})
    opened, deadline = on.target.count(), time.monotonic() + seconds + PATIENCE
    while on.target.count() < opened + jobs and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        sizes.append(machine.resident(sender))
        if problem := alive():
            raise Broken(problem)
    return sizes, window.close()["sender"]


class Written(NamedTuple):
    """Of the delay topics: how often each job stands there, and how many times of being due each was given."""

    records: Counter[str]
    times: Counter[str]

    def told(self, jobs: int) -> dict[str, float]:
        """`written`: for each of so many jobs, and at most; `anew`: so many times of being due a job was given."""
        return {
            "written": self.records.total() / jobs,
            "written_most": max(self.records.values(), default=0),
            "anew": self.times.total() / jobs,
        }


class _Waiting(msgspec.Struct):
    job_id: str
    due_at: int


def rewritten(on: Bed) -> Written:
    """What stands in the delay topics."""
    counted: Counter[str] = Counter()
    times: set[tuple[str, int]] = set()
    decode = msgspec.json.Decoder(_Waiting).decode
    for topic in on.bench.topics.retries():
        for record in records(on.on.bootstrap, topic, stand.DEADLINE_SECONDS):
            job = decode(record.value or b"")
            if int(job.job_id, 16) < WARM:
                counted[job.job_id] += 1
                times.add((job.job_id, job.due_at))
    return Written(counted, Counter(job for job, _ in times))


def suite(arguments: argparse.Namespace) -> Runs:
    """One round: it takes eleven minutes, or a share of it."""
    jobs = arguments.delayed
    measured = measure(jobs, arguments.decided, arguments.scale)
    yield {"suite": "delay", "what": {"jobs": jobs, "scale": arguments.scale}, "measured": measured}
