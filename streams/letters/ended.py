"""Jobs by their ids, in the topics that hold jobs and receipts: for those that have no dead letter. Blocks; raises
`Stop`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import msgspec
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from schemas.job import Job
from schemas.receipt import Receipt
from streams import kafka, topics
from streams.explain.scanning import Scanner

from .again import Refused

Kind = TypeVar("Kind")


class Lying(NamedTuple):
    """A job as it was last written into the delivery topic."""

    job: Job
    key: bytes | None
    partition: int


@dataclass
class Known:
    """What there is of some jobs, by their ids."""

    jobs: dict[str, Lying] = field(default_factory=dict)
    receipts: dict[str, list[Receipt]] = field(default_factory=dict)

    def ended(self, job_id: str) -> Receipt | None:
        """The newest terminal receipt."""
        ends = [one for one in self.receipts.get(job_id, ()) if one.kind == "terminal"]
        return max(ends, key=lambda one: one.at, default=None)

    def standing(self, job_id: str) -> Refused | None:
        """Why the job cannot be sent again just now, or what it must be asked for expressly; None: there is no such
        job.
        """
        ended = self.ended(job_id)
        if ended is None:
            return Refused("waiting") if job_id in self.jobs else None
        if job_id in self.jobs and self.jobs[job_id].job.replayed_at > ended.at:
            return Refused("under_way")
        if (ended.error or "").startswith("erased"):
            return Refused("erased")
        return Refused("ended", f"{ended.outcome}{f' ({ended.error})' if ended.error else ''}")


def known(
    scanner: Scanner, admin: AdminClient, names: kafka.Topics, job_ids: Collection[str], since: int | None
) -> Known:
    """What the delivery topic and the receipts say of these jobs. `since`: append time (ms) from which on is read."""
    found = Known()
    for one in _read(scanner, admin, names.delivery, job_ids, since):
        job = _decoded(one.value(), Job)
        if job is not None and job.job_id in job_ids:
            found.jobs[job.job_id] = Lying(job, one.key(), one.partition() or 0)
    for receipt in receipts(scanner, admin, names, job_ids, since):
        found.receipts.setdefault(receipt.job_id, []).append(receipt)
    return found


def receipts(
    scanner: Scanner,
    admin: AdminClient,
    names: kafka.Topics,
    job_ids: Collection[str],
    since: int | None,
    numbers: Collection[int] | None = None,
) -> Iterator[Receipt]:
    """The receipts of these jobs, those of each in order; of all partitions, or of those with these `numbers`."""
    for one in _read(scanner, admin, names.receipts, job_ids, since, numbers):
        receipt = _decoded(one.value(), Receipt)
        if receipt is not None and receipt.job_id in job_ids:
            yield receipt


def _read(
    scanner: Scanner,
    admin: AdminClient,
    topic: str,
    job_ids: Collection[str],
    since: int | None,
    numbers: Collection[int] | None = None,
) -> Iterator[Message]:
    """Records that may be of one of these jobs."""
    there = topics.look(admin, [topic]).get(topic)
    if there is None:
        return
    wanted = range(there.partitions) if numbers is None else [one for one in numbers if one < there.partitions]
    # Few ids are looked for in the bytes; with many it is as quick to decode.
    few = [one.encode() for one in job_ids] if len(job_ids) <= 10 and all(map(_plain, job_ids)) else None
    for message in scanner.read(scanner.spans([(topic, number) for number in wanted], since)):
        value = message.value()
        if value is not None and (few is None or any(one in value for one in few)):
            yield message


def _plain(job_id: str) -> bool:
    """Whether an id stands in JSON as it is."""
    return job_id.isascii() and job_id.isprintable() and not set('"\\/') & set(job_id)


def _decoded(value: bytes | None, kind: type[Kind]) -> Kind | None:
    try:
        return None if value is None else msgspec.json.decode(value, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
