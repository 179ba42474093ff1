"""What a batch comes to, and what all batches of a process share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.postbacks.decide import Level
from streams.postbacks.index import Index, Scope


class Outgoing(NamedTuple):
    """A record to produce, to this partition of its topic; None: to the partition number of the batch."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None


class Limits(NamedTuple):
    """Sizes in bytes and counts. `record_bytes` holds for states too, `job_bytes` for what a broker takes by default.
    `releases`: devices released in one batch, so that one transaction stays small.
    """

    record_bytes: int = 1_000_000
    job_bytes: int = 1_000_000
    held_records: int = 1_000
    releases: int = 2_000


class Names(NamedTuple):
    """The full names of the topics that the pipelines write; `worker` is the workers' id."""

    delivery: str
    decisions: str
    dead_letters: str
    users: str
    worker: str = ""


@dataclass(slots=True)
class Output:
    """What to write, all in one transaction: records to produce and rows to put (None deletes).

    `counted` are the rows of daily counts among `puts`, and `told` goes to the report topic: see `untold`.

    `taken` is how many of the batch's records are in it; the rest must be given again. `more`: call again at once,
    releases are left. `counts` has keys (metric, *labels). `decided_from` are the append times of the records decided
    at once (not held).
    """

    taken: int = 0
    more: bool = False
    outgoing: list[Outgoing] = field(default_factory=list)
    puts: dict[bytes, bytes | None] = field(default_factory=dict)
    counted: list[bytes] = field(default_factory=list)
    told: dict[bytes, bytes | None] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    decided_from: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Setting:
    """What all batches of a stage share; `scope` is whose uniqueness the stage decides."""

    index: Index
    names: Names
    level: Level
    limits: Limits
    scope: Scope = "device"
