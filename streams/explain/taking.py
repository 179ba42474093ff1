"""Picks what was written about a record out of our own topics. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.job import Job
from schemas.receipt import Receipt
from streams import kafka
from streams.engine.letters import UNKNOWN_OFFSET

from .found import Recorded, SeenJob

T = TypeVar("T")


class Written(NamedTuple):
    """A record of one of our topics; `timestamp` in ms."""

    topic: str
    timestamp: int
    key: bytes | None
    value: bytes | None


class Taking:
    """Picks what was written about a record out of our own topics."""

    def __init__(self, names: kafka.Topics, record_ids: set[str], key: bytes, raws: set[tuple[str, int]]) -> None:
        self._names, self._record_ids, self._key, self._raws = names, record_ids, key, raws
        device_key = key.decode("utf-8", "surrogatepass")
        self._endings = tuple(f"record {one} of {device_key}" for one in record_ids)
        self.found = Recorded()
        self._by_topic: dict[str, Callable[[Written, bytes], None]] = {
            names.receipts: self._receipt,
            names.dead_letters: self._letter,
            names.decisions: self._decision,
        }

    def take(self, one: Written) -> None:
        """The next record of its partition."""
        value, topic = one.value, one.topic
        # What was refused when it was read may have had another key than its device's.
        if value is not None and (one.key == self._key or topic == self._names.dead_letters):
            self._by_topic.get(topic, self._job)(one, value)

    def _receipt(self, _one: Written, value: bytes) -> None:
        receipt = decoded(value, Receipt)
        if receipt is not None and receipt.record_id in self._record_ids:
            self.found.receipts.append(receipt)

    def _decision(self, _one: Written, value: bytes) -> None:
        decision = decoded(value, Decision)
        if decision is not None and decision.record_id in self._record_ids:
            self.found.decisions.append(decision)

    def _letter(self, one: Written, value: bytes) -> None:
        letter = decoded(value, DeadLetter)
        if letter is None:
            return
        if letter.kind == "job":
            is_ours = one.key == self._key
        elif letter.offset == UNKNOWN_OFFSET:
            # Of a record that was decoded before: only its words tell whose it is.
            is_ours = letter.detail.endswith(self._endings)
        else:
            is_ours = (letter.topic, letter.offset) in self._raws
        if is_ours:
            self.found.letters.append(letter)

    def _job(self, one: Written, value: bytes) -> None:
        job = decoded(value, Job)
        if job is None or job.record_id not in self._record_ids:
            return
        written = one.timestamp
        known = self.found.jobs.get(job.job_id)
        if known is None or (job.replayed_at, job.attempts, written) >= (
            known.job.replayed_at,
            known.job.attempts,
            known.written,
        ):
            self.found.jobs[job.job_id] = SeenJob(job, one.topic, written)


def decoded(value: bytes | None, kind: type[T]) -> T | None:
    """A record of ours; None for what is none, which is another command's affair."""
    try:
        return None if value is None else msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
