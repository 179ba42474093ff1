"""What really happened: the input topics, the jobs, their receipts and the dead letters, as any reader of the topics
sees them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import Message

from schemas.config import Source
from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams import kafka
from streams.demo.counts import Counts
from streams.demo.verdict import Seen
from streams.engine.holds import HOLD_PREFIX
from streams.engine.raw import Raw
from streams.engine.stages import changelog_topic
from streams.local.reading import Reader
from streams.settings import Settings

_job = msgspec.json.Decoder(Job).decode
_receipt = msgspec.json.Decoder(Receipt).decode
_letter = msgspec.json.Decoder(DeadLetter).decode


def inputs(settings: Settings, sources: Iterable[Source], check: Callable[[], None]) -> dict[int, list[Raw]]:
    """The records of a stage's sources by partition, as the worker reads them. Blocks; raises `Stop`, and what `check`
    raises.
    """
    by_topic = {source.topic: source for source in sources}
    records: defaultdict[int, list[Raw]] = defaultdict(list)
    with Reader(settings, by_topic, check=check) as reader:
        for message in reader.to_end(pending=True):
            topic, partition = message.topic() or "", message.partition() or 0
            place = (topic, partition, message.offset() or 0, message.timestamp()[1])
            records[partition].append(Raw(*place, message.key(), message.value(), by_topic[topic]))
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
        self._changelog = changelog_topic(settings)
        ours = self._topics
        self.topics = (ours.delivery, ours.receipts, ours.dead_letters, ours.users, self._changelog)
        self.counts = Counts()
        for postback_id in postbacks:
            self.counts.postbacks[postback_id]
        self.dead_inputs = 0
        #: Records that the user stage is told of.
        self.users = 0
        self._jobs: dict[str, Job] = {}
        self._attempts: list[Receipt] = []
        self._letters: list[DeadLetter] = []
        self._holds: dict[tuple[int, bytes], int] = {}
        self._again: dict[str, int] = {}

    def take(self, message: Message) -> None:
        """The next record of one of `topics`."""
        value = message.value() or b""
        if message.topic() == self._topics.delivery:
            job = _job(value)
            self.counts.decided(job.postback_id, job.job_id)
            self._jobs.setdefault(job.job_id, job)
        elif message.topic() == self._topics.receipts:
            self._take_receipt(_receipt(value))
        elif message.topic() == self._changelog:
            self._take_row(message.partition() or 0, message.key() or b"", message.value())
        elif message.topic() == self._topics.users:
            self.users += 1
        else:
            self._take_letter(_letter(value))

    def _take_row(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Of the worker's state only the index of what is held matters. It changes together with the jobs."""
        if not key.startswith(HOLD_PREFIX):
            return
        if value is None:
            self._holds.pop((partition, key), None)
        else:
            self._holds[partition, key] = int(value)

    def _take_letter(self, letter: DeadLetter) -> None:
        if letter.kind == "input":
            self.dead_inputs += 1
        else:
            self._letters.append(letter)

    def _take_receipt(self, receipt: Receipt) -> None:
        if receipt.kind == "terminal":
            self.counts.ended(receipt.postback_id, receipt.job_id, receipt.outcome)
            return
        self._attempts.append(receipt)
        self.counts.attempted(receipt.postback_id, receipt.job_id, receipt.attempt)
        if receipt.next_at is not None:
            self._again[receipt.job_id] = max(receipt.next_at, self._again.get(receipt.job_id, 0))

    @property
    def held(self) -> int:
        """Records that wait for an install."""
        return sum(self._holds.values())

    def seen(self, requests: list[tuple[str, str]]) -> Seen:
        """Everything, together with what the partner says (`requests`)."""
        return Seen(self.counts, self._jobs, self._attempts, self._letters, requests)

    def waiting(self, now: int) -> Waiting:
        """What has not ended yet. `now` in ms."""
        ids = {job_id for jobs in self.counts.postbacks.values() for job_id in jobs.waiting}
        again = [self._again[job_id] for job_id in ids if job_id in self._again]
        first = [self._jobs[job_id].due_at for job_id in ids if job_id not in self._again]
        delayed = [due for due in first if due > now]
        to_send = len(ids) - len(again) - len(delayed)
        return Waiting(len(again), len(delayed), to_send, max([*again, *delayed], default=0))


def requests(log: Path) -> list[tuple[str, str]]:
    """The job id, and the path and query, of each request in the partner's log."""
    lines = (line.partition("\t") for line in log.read_text().splitlines())
    return [(job_id, target) for job_id, _, target in lines]
