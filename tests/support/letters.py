"""What the tests of dead letters share: letters, the command in a process of its own, and what was replayed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from schemas.job import Job
from streams.delivery import receipts
from streams.settings import environment
from tests.support.processes import as_a_terminal_starts
from tests.support.sending import Bench
from tests.support.topics import Sent, read_topic


def write_letters(bench: Bench, jobs: Iterable[Job], reason: str = "attempts_used_up") -> None:
    """Dead letters of jobs as a sender writes them, placed by their numbers."""
    records = []
    for number, job in enumerate(jobs):
        place = (bench.topics.delivery, number % 4, number)
        value = receipts.dead_letter(reason, "status 500", place, now(), b"k", msgspec.json.encode(job), job, 500)
        records.append(Sent(value, b"k", number % 4))
    bench.write(bench.topics.dead_letters, records)


def now() -> int:
    """Milliseconds."""
    return int(time.time() * 1000)


def replayed(bench: Bench) -> list[tuple[str, int]]:
    """The jobs that were written into the delivery topic, each with its partition."""
    found = read_topic(bench.settings.bootstrap_servers, bench.topics.delivery)
    return [(msgspec.json.decode(one.value or b"", type=Job).job_id, one.partition) for one in found]


@contextmanager
def process(bench: Bench, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, ended at the end of the block."""
    command = [sys.executable, "-m", "streams.cli.main", "dlq", *arguments]
    env = {**os.environ, **environment(bench.settings)}
    with as_a_terminal_starts():
        started = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with started as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
