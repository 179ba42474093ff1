"""What lies in the topics at the end, or must lie there: the same form for both. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.report import UNTOLD
from streams.demo.expected import undated
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import StageName, Unit

#: The sender's rows in the report topic, told by the beginning of their keys.
ENDED = b'["ended"'

_job = msgspec.json.Decoder(Job).decode
_letter = msgspec.json.Decoder(DeadLetter).decode
_encode = msgspec.msgpack.Encoder().encode


class Said(NamedTuple):
    """A job: where it lies, and a digest of all that it says."""

    postback_id: str
    partition: int
    digest: bytes


class Lies(NamedTuple):
    """Where a dead letter's record lies, and why it is one."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass
class Picture:
    """`twice`: ids of jobs that were written once more. `told`: what the device stage tells the user stage, by digest.
    By unit: `rows`, the state; `positions`, by topic the offset behind what is applied. `reports` by partition and key;
    `untold`: the marks of those that have more to tell.
    """

    jobs: dict[str, Said] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    told: Counter[bytes] = field(default_factory=Counter)
    letters: Counter[Lies] = field(default_factory=Counter)
    rows: defaultdict[Unit, dict[bytes, bytes]] = field(default_factory=lambda: defaultdict(dict))
    positions: dict[Unit, dict[str, int]] = field(default_factory=dict)
    reports: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    untold: set[tuple[int, bytes]] = field(default_factory=set)

    def take_job(self, partition: int, value: bytes) -> None:
        """A record of the delivery topic."""
        job = _job(value)
        if job.job_id in self.jobs:
            self.twice.append(job.job_id)
            return
        # When it was decided, and under which generation, is not what the rules say.
        digest = blake2b(_encode(undated(job)), digest_size=12).digest()
        self.jobs[job.job_id] = Said(job.postback_id, partition, digest)

    def take_told(self, partition: int, key: bytes | None, value: bytes) -> None:
        """A record of the users topic."""
        text = b"%d|%d|%b|%b" % (partition, len(key or b""), key or b"", value)
        self.told[blake2b(text, digest_size=12).digest()] += 1

    def take_letter(self, value: bytes) -> None:
        """A record of the dead letters; those of jobs are the sender's."""
        letter = _letter(value)
        if letter.kind == "input":
            self.letters[Lies(letter.topic, letter.partition, letter.offset, letter.reason)] += 1

    def take_report(self, partition: int, key: bytes, value: bytes | None) -> None:
        """A record of the report topic; the newest of a key counts."""
        if key.startswith(UNTOLD):
            (self.untold.discard if value is None else self.untold.add)((partition, key))
        elif value is not None and not key.startswith(ENDED):
            self.reports[partition, key] = value

    def take_row(self, stage: StageName, partition: int, key: bytes, value: bytes | None) -> None:
        """A record of a changelog; the newest of a key counts, none is a deletion."""
        unit = Unit(stage, partition)
        if key == MARKER_KEY:
            self.positions[unit] = Marker.decode(value).positions
        elif not key.startswith(MARKER_KEY):  # the engine's own records, barriers say, are no state
            rows = self.rows[unit]
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
