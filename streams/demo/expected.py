"""What must come out of a demo: its input records, as they lie in the topics, put through the pure parts of the worker
and of the sender. Pure.

The records are merged by append time as the contract says (§4, *Merge*), so the answer does not depend on the order in
which they were read, on batches, restarts or the clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from schemas.config import Configuration
from schemas.job import Job
from streams.delivery import course, jobs, retry
from streams.delivery.outcome import Outcome as Attempt
from streams.demo.answers import answer
from streams.demo.counts import RECORDS, Counts, Jobs
from streams.engine.output import Limits, Output
from streams.engine.raw import Raw
from streams.replay import run


class Outcome(NamedTuple):
    """`counts`: what became of every postback and record. By job id: `jobs`, undated; `attempts`, the status of the
    answer to each request, in order; `letters`, the reason of the dead letter of a job that failed.
    """

    counts: Counts
    jobs: dict[str, Job]
    attempts: dict[str, tuple[int, ...]]
    letters: dict[str, str]


def undated(job: Job) -> Job:
    """What a job says whenever, and under whatever generation, it was decided: its `due_at` is its delay."""
    return msgspec.structs.replace(job, generation=0, decided_at=0, due_at=job.due_at - job.decided_at)


def expected(
    configuration: Configuration,
    records: Mapping[int, Sequence[Raw]],
    partitions: int,
    limits: Limits | None = None,
    users: Mapping[int, Sequence[Raw]] | None = None,
) -> Outcome:
    """What must become of `records`, by partition and in any order within it, when all of them have been processed and
    all jobs have ended.

    `partitions`: how many the input topics have. `users`: the users topic as it lies, whose order is that of the user
    stage; without it the order is that of `streams.replay.run`. Raises `WrongPartition` for a record that lies where
    its device does not.
    """
    now = max((record.appended for lying in records.values() for record in lying), default=0)
    sender = _Sender(configuration)
    tally: Counter[str] = Counter()
    setup = run.Setup(configuration, partitions, limits or Limits(), now=now)
    for stage, output in run.replay(setup, records, users):
        if stage is None:
            _count(output, tally)
        for value in run.jobs(output):
            sender.take(_job(value, now))
    sender.counts.records = {name: tally[name] for name in RECORDS}
    return Outcome(sender.counts, sender.jobs, sender.attempts, sender.letters)


def _count(output: Output, tally: Counter[str]) -> None:
    """The input records of a batch, by result."""
    for (metric, *labels), count in output.counts.items():
        if metric == "records_total":
            tally["read"] += count
            tally[labels[-1]] += count


def _job(value: bytes, now: int) -> Job:
    job = jobs.decode(value, now)
    if isinstance(job, jobs.Poison):
        raise ValueError(f"the worker wrote a job that no sender takes: {job.detail}")
    return job


class _Sender:
    """Follows each job through its attempts to its end, at the times at which they are due."""

    def __init__(self, configuration: Configuration) -> None:
        self.counts = Counts()
        # A postback without jobs has its row too.
        self.counts.postbacks.update({postback.id: Jobs() for postback in configuration.postbacks})
        self.jobs: dict[str, Job] = {}
        self.attempts: dict[str, tuple[int, ...]] = {}
        self.letters: dict[str, str] = {}
        self._rules = course.Rules().with_configuration(configuration)
        self._backoff = retry.Backoff()

    def take(self, job: Job) -> None:
        """Follow a job that was decided."""
        self.counts.decided(job.postback_id, job.job_id)
        self.jobs[job.job_id] = undated(job)
        self.attempts[job.job_id] = ()
        path = urlsplit("".join(part for part in job.request.url if isinstance(part, str))).path
        while True:
            way = course.course(job, self._rules, job.due_at)
            if isinstance(way, course.End):
                self.counts.ended(job.postback_id, job.job_id, way.outcome)
                return
            if isinstance(way, course.Paused | course.Wait):
                return
            number = job.attempts + 1
            self.counts.attempted(job.postback_id, job.job_id, number)
            # How long it waits, and by whose word, makes no difference to its end.
            answered = Attempt("answer", status=(status := answer(job.job_id, number, path).status))
            self.attempts[job.job_id] += (status,)
            verdict = retry.rule(job, answered, way, job.due_at, 0.0, self._backoff).verdict
            if isinstance(verdict, retry.Delivered):
                self.counts.ended(job.postback_id, job.job_id, "delivered")
                return
            if isinstance(verdict, retry.Failed):
                self.counts.ended(job.postback_id, job.job_id, "failed")
                self.letters[job.job_id] = verdict.reason
                return
            if not isinstance(verdict, retry.Retry):
                return
            job = msgspec.structs.replace(job, attempts=number, due_at=verdict.at)
