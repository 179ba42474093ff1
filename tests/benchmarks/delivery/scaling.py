"""Whether two sender processes do twice as much as one: each has a part of a core only, so that neither the target nor
the broker nor the machine is the limit.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.benchmarks import figures, machine, stand
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import bed
from tests.benchmarks.delivery.jobs import partners
from tests.benchmarks.delivery.quota import quota
from tests.benchmarks.delivery.speed import LOOK_SECONDS, Samples, check_receipts
from tests.benchmarks.stand import Broken

COUNTS = (1, 2)
#: Of the requests: by then all have joined, and none has run out yet.
MIDDLE = (0.4, 0.9)


def measure(processes: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """`rate`: requests a second; `cpu`: seconds of processor for 100,000 of them, of all processes; `others`, and what
    broker and target used, in % of a core. Raises Broken when a job or its receipt is missing.
    """
    count = arguments.scaling_jobs
    with quota(arguments.quota) as limits, bed(partners(arguments.partners, max_in_flight=20)) as on:
        on.fill(count)
        process = on.sender("--processes", str(processes))
        alive, samples = stand.watching(process), Samples()
        parts = {"contestant": process, "broker": on.on.broker_process, "target": on.target.process}
        window = machine.Window(parts)
        deadline = time.monotonic() + stand.DEADLINE_SECONDS
        while not samples.sent or samples.sent[-1] < count:
            for one in machine.tree(process):
                limits.limit(one.pid)
            samples.take(on, process)
            if (problem := alive()) or time.monotonic() > deadline:
                raise Broken(problem or f"{samples.sent[-1]} of {count} requests, then nothing more")
            time.sleep(LOOK_SECONDS)
        used = window.close()
        check_receipts(on, count, process)
        found = on.target.samples()
        return {
            "rate": figures.rate([one.at for one in found], *MIDDLE),
            "cpu": samples.per_100_000(samples.own, count),
            "repeated": arrivals.repeated(one.number for one in found),
            "cpu_broker": used["broker"],
            "cpu_target": used["target"],
            "others": used["others"],
        }


def suite(arguments: argparse.Namespace) -> Runs:
    """One process, then two."""
    for _ in range(arguments.rounds):
        for count in COUNTS:
            yield {"suite": "scaling", "what": {"processes": count}, "measured": measure(count, arguments)}
