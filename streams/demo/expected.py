"""What must come out of a demo: its input records, as they lie in the topics, put through the pure parts of the worker
and of the sender. Pure.

The records are merged by append time as the contract says (§4, *Merge*), so the answer does not depend on the order in
which they were read, on batches, restarts or the clock.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from schemas.config import Configuration
from schemas.job import Job
from streams.delivery import course, jobs, retry
from streams.delivery.outcome import Outcome as Attempt
from streams.demo.answers import answer
from streams.demo.counts import RECORDS, Counts, Jobs
from streams.engine.merge import Merge
from streams.engine.pipeline import Holds, Limits, Names, Pipeline, Raw
from streams.kafka import partition_of

#: Later than any append time: when every source stood at its end then, nothing is held any more.
AT_LAST = 1 << 61
BATCH = 500

_NAMES = Names(delivery="delivery", decisions="decisions", dead_letters="dead-letters")


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
) -> Outcome:
    """What must become of `records`, by partition and in any order within it, when all of them have been processed and
    all jobs have ended.

    `partitions`: how many the input topics have. Raises `WrongPartition` for a record that lies where its device does
    not.
    """
    pipeline = Pipeline(_NAMES, "off", limits or Limits(), partition_of)
    pipeline.configure(configuration)
    sender = _Sender(configuration)
    tally: Counter[str] = Counter()
    for partition, lying in sorted(records.items()):
        for job in _decided(pipeline, configuration, partition, lying, partitions, tally):
            sender.take(job)
    sender.counts.records = {name: tally[name] for name in RECORDS}
    return Outcome(sender.counts, sender.jobs, sender.attempts, sender.letters)


def _decided(
    pipeline: Pipeline,
    configuration: Configuration,
    partition: int,
    records: Sequence[Raw],
    partitions: int,
    tally: Counter[str],
) -> Iterator[Job]:
    """The jobs of one partition; counts its records in `tally`."""
    now = max((record.appended for record in records), default=0)
    merge = _merged(configuration, records)
    rows: dict[bytes, bytes] = {}
    holds = Holds()

    def read(keys: list[bytes]) -> list[bytes | None]:
        return [rows.get(key) for key in keys]

    batch = merge.take(BATCH)
    more = True
    while batch or more:
        output = pipeline.process(partition, batch, merge.progress(), now, read, holds, partitions)
        for key, value in output.puts.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        for (metric, *labels), count in output.counts.items():
            if metric == "records_total":
                tally["read"] += count
                tally[labels[-1]] += count
        yield from (_job(one.value, now) for one in output.outgoing if one.topic == _NAMES.delivery)
        more = output.more
        batch = batch[output.taken :] or merge.take(BATCH)


def _merged(configuration: Configuration, records: Sequence[Raw]) -> Merge[Raw]:
    merge: Merge[Raw] = Merge([(source.topic, source.record == "install") for source in configuration.sources])
    by_topic: defaultdict[str, list[Raw]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    for source in configuration.sources:
        lying = sorted(by_topic[source.topic], key=lambda record: record.offset)
        end = lying[-1].offset + 1 if lying else 0
        merge.feed(source.topic, lying, end)
        merge.stood_at(source.topic, end, AT_LAST)
    return merge


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
