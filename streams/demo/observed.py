"""What really happened: the input topics, the jobs, their receipts and the dead letters, as any reader of the topics
sees them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import Message

from schemas.config import Configuration
from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams import kafka
from streams.demo.counts import Counts
from streams.engine.raw import Raw
from streams.local.reading import Reader
from streams.settings import Settings

_job = msgspec.json.Decoder(Job).decode
_receipt = msgspec.json.Decoder(Receipt).decode
_letter = msgspec.json.Decoder(DeadLetter).decode


def inputs(settings: Settings, configuration: Configuration) -> dict[int, list[Raw]]:
    """The input records by partition, as the worker reads them. Blocks; raises `Stop`."""
    sources = {source.topic: source for source in configuration.sources}
    records: defaultdict[int, list[Raw]] = defaultdict(list)
    with Reader(settings, sources) as reader:
        for message in reader.to_end():
            topic, partition = message.topic() or "", message.partition() or 0
            place = (topic, partition, message.offset() or 0, message.timestamp()[1])
            records[partition].append(Raw(*place, message.key(), message.value(), sources[topic]))
    return dict(records)


class Waiting(NamedTuple):
    """Jobs that have not ended: those that failed and are sent again, those that are not due yet, and the rest, which
    are being sent or wait for their partner.

    `last_due`: when the last of the first two is due, in ms; 0 when there is none.
    """

    redeliveries: int = 0
    delayed: int = 0
    to_send: int = 0
    last_due: int = 0

    @property
    def total(self) -> int:
        return self.redeliveries + self.delayed + self.to_send


class Ledger:
    """What the topics tell about jobs, put together from records in any order."""

    def __init__(self, settings: Settings, postbacks: Iterable[str]) -> None:
        self._topics = kafka.Topics(settings.topic_prefix)
        self.topics = (self._topics.delivery, self._topics.receipts, self._topics.dead_letters)
        self.counts = Counts()
        for postback_id in postbacks:
            self.counts.postbacks[postback_id]
        self.dead_inputs = 0
        self._due: dict[str, int] = {}
        self._again: dict[str, int] = {}

    def take(self, message: Message) -> None:
        """The next record of one of `topics`."""
        value = message.value() or b""
        if message.topic() == self._topics.delivery:
            job = _job(value)
            self.counts.decided(job.postback_id, job.job_id)
            self._due[job.job_id] = job.due_at
        elif message.topic() == self._topics.receipts:
            self._take_receipt(_receipt(value))
        elif _letter(value).kind == "input":
            self.dead_inputs += 1

    def _take_receipt(self, receipt: Receipt) -> None:
        if receipt.kind == "terminal":
            self.counts.ended(receipt.postback_id, receipt.job_id, receipt.outcome)
            return
        self.counts.attempted(receipt.postback_id, receipt.job_id, receipt.attempt)
        if receipt.next_at is not None:
            self._again[receipt.job_id] = max(receipt.next_at, self._again.get(receipt.job_id, 0))

    def waiting(self, now: int) -> Waiting:
        """What has not ended yet. `now` in ms."""
        ids = {job_id for jobs in self.counts.postbacks.values() for job_id in jobs.waiting}
        again = [self._again[job_id] for job_id in ids if job_id in self._again]
        delayed = [self._due[job_id] for job_id in ids if job_id not in self._again and self._due[job_id] > now]
        to_send = len(ids) - len(again) - len(delayed)
        return Waiting(len(again), len(delayed), to_send, max([*again, *delayed], default=0))


def requests(log: Path) -> list[str]:
    """The job id of each request in the partner's log."""
    return [line.partition("\t")[0] for line in log.read_text().splitlines()]
