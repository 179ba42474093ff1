"""Whether a partner gets its limit while two senders share it, and while one of them is killed.

A backlog waits all the time, so that the limit is what decides. All is told as the partner sees it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from streams.local.guarded import GuardedProcess
from tests.benchmarks.conduct import Runs
from tests.benchmarks.delivery import arrivals
from tests.benchmarks.delivery.bed import Bed, arrived, bed
from tests.benchmarks.delivery.jobs import partners

LATENCY = 0.02
WINDOW = 10.0
#: Seconds until what was there before is over: the lanes' first guesses, the opening of connections.
LEAD_IN = 10.0


class Course(NamedTuple):
    """At which shares of the time one of the senders is killed, and started anew (None: not at all)."""

    killed: float | None = None
    restarted: float | None = None


COURSES = {"both live": Course(), "one killed": Course(0.5), "killed and restarted": Course(1 / 3, 0.5)}


def measure(course: Course, limit: float, seconds: float) -> dict[str, Any]:
    """`rate`: a second, over all; `error` of it, in %; the slowest and fastest window of ten seconds, and the most
    within any second.
    """
    with bed(partners(1, rate_limit=limit), latency=LATENCY) as on:
        senders = [on.sender(), on.sender()]
        on.warm_up(*senders)
        on.fill(round(limit * (seconds + LEAD_IN) * 2))
        begin = time.time() + LEAD_IN
        _play(on, senders, course, begin, seconds)
        found = sorted(arrived(on.target.samples()).values())
        times = [at for at in found if begin <= at < begin + seconds]
        windows = arrivals.per_window(times, begin, begin + seconds, WINDOW)
        rate = len(times) / seconds
        return {
            "rate": rate,
            "error": arrivals.error(rate, limit),
            "least": min(windows),
            "most": max(windows),
            "within_second": arrivals.most_within(times, 1.0),
            "windows": windows,
            "seconds": arrivals.per_window(times, begin, begin + seconds, 1.0),
        }


def _play(on: Bed, senders: Sequence[GuardedProcess], course: Course, begin: float, seconds: float) -> None:
    """Let the time pass, and kill and start as the course says."""
    if course.killed is not None:
        _until(begin + course.killed * seconds)
        senders[-1].kill()
    if course.restarted is not None:
        _until(begin + course.restarted * seconds)
        on.sender()
    _until(begin + seconds)


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))


def suite(arguments: argparse.Namespace) -> Runs:
    """Undisturbed, with one of two killed, and with one killed and started anew."""
    for _ in range(arguments.rounds):
        for name, course in COURSES.items():
            measured = measure(course, arguments.shared_limit, arguments.limit_seconds)
            yield {"suite": "limits", "what": {"limit": arguments.shared_limit, "course": name}, "measured": measured}
