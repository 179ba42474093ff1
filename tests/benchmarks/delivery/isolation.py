"""What partners that hang do to the others: a steady load for all of them, below what the sender can take.

Rounds without and with hanging partners take turns, and a round with is told beside the one before it; `--paired` has
both at the same time, for machines on which no two minutes are alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import figures, machine
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import Bed, arrived, bed, two_beds
from tests.benchmarks.delivery.behaviour import Kind
from tests.benchmarks.delivery.jobs import partners

#: Seconds that do not count.
LEAD_IN = 5.0
#: What partners that are well take to answer, in seconds.
LATENCY = 0.02
#: Who has not come so long (seconds) after the load has not come.
PATIENCE = 15.0


@dataclass(frozen=True)
class Crowd:
    """So many partners, the first of which may hang: `watched` are the others, in every round. `rate` in all, a second;
    `seconds` of load.
    """

    partners: int
    may_hang: int
    rate: float
    seconds: float

    @property
    def watched(self) -> range:
        """The lanes of those that are well."""
        return range(self.may_hang, self.partners)


def measure(crowd: Crowd, trouble: Kind | None) -> dict[str, Any]:
    """What the first partners do is the `trouble`. Of those that are well: `rate` of arrivals, a second, and ms from
    due to arrival; `missing` did not come.
    """
    with bed(partners(crowd.partners), latency=LATENCY) as on:
        return _under(crowd, {on: trouble})[0]


def paired(crowd: Crowd, trouble: Kind) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same without and with the trouble, at the same time on the same machine: what else happens there meets
    both.
    """
    with two_beds(partners(crowd.partners), latency=LATENCY) as (calm, troubled):
        first, second = _under(crowd, {calm: None, troubled: trouble})
        return first, second


def _under(crowd: Crowd, beds: Mapping[Bed, Kind | None]) -> list[dict[str, Any]]:
    """Put the load on each of the beds, together, and tell what came of it."""
    senders = {on: on.sender() for on in beds}
    for on, trouble in beds.items():
        on.warm_up(senders[on])
        for lane in range(crowd.may_hang if trouble else 0):
            on.target.set(lane, trouble or "answer", limit=1)
    loads = {on: on.load(crowd.rate, crowd.seconds, range(crowd.partners)) for on in beds}
    time.sleep(LEAD_IN)
    processes = {on: {"sender": senders[on], "broker": on.on.broker_process} for on in beds}
    windows = {on: machine.Window(processes[on]) for on in beds}
    dues = {on: loads[on].due() for on in beds}
    used = {on: {f"cpu_{name}": value for name, value in windows[on].close().items()} for on in beds}
    return [
        _told(on, crowd, dues[on]) | used[on] | {"resident": machine.resident(sender)} for on, sender in senders.items()
    ]


def _told(on: Bed, crowd: Crowd, due: Mapping[int, float]) -> dict[str, Any]:
    ours = {number: at for number, at in due.items() if number % crowd.partners in crowd.watched}
    found = _come(on, set(ours))
    begin, end = min(due.values()) + LEAD_IN, max(due.values())
    counted = {number: at for number, at in ours.items() if at >= begin}
    within = [at for at in found.values() if begin <= at < end]
    told: dict[str, Any] = dict(figures.percentiles(arrivals.waits(found, counted)))
    return told | {"rate": len(within) / (end - begin), "missing": len(ours) - len(found)}


def _come(on: Bed, wanted: set[int]) -> dict[int, float]:
    """When those that are well were reached. Waits until all have been, or patience is over."""
    deadline = time.monotonic() + PATIENCE
    while True:
        samples = on.target.samples()
        found = {number: at for number, at in arrived(samples).items() if number in wanted}
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        time.sleep(1.0)


def compared(calm: dict[str, Any], troubled: dict[str, Any]) -> dict[str, Any]:
    """The figures in trouble, with the share of the rate that was `kept`, in %, and how much higher the 99th percentile
    is, in %.
    """
    return troubled | {
        "kept": troubled["rate"] / calm["rate"] * 100,
        "p99_more": (troubled["p99"] / calm["p99"] - 1) * 100,
    }


def suite(arguments: argparse.Namespace) -> Runs:
    """Few partners of which one hangs, and very many of which some do."""
    for _ in range(arguments.rounds):
        for count, hang in zip(arguments.crowds, arguments.hanging, strict=True):
            crowd = Crowd(count, hang, arguments.load, arguments.isolation_seconds)
            if arguments.paired:
                calm, troubled = paired(crowd, arguments.trouble)
            else:
                calm, troubled = measure(crowd, None), measure(crowd, arguments.trouble)
            yield {"suite": "isolation", "what": {"partners": count, "hanging": 0}, "measured": calm}
            measured = compared(calm, troubled)
            yield {"suite": "isolation", "what": {"partners": count, "hanging": hang}, "measured": measured}
