"""What the topics hold of one device and one record of it: plain data, handed from the reading to the story. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.config import DAY, Configuration
from schemas.control import Control, Target
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.job import Job
from schemas.receipt import Receipt
from schemas.user import UserRecord
from streams.attribution.entry import Entry
from streams.attribution.facts import Fact
from streams.attribution.state import Device
from streams.attribution.users import User
from streams.engine.raw import Raw

#: Why held records were released: an install came, the grace was over, the device held too many, nothing is held now.
Freed = Literal["install", "grace", "full", "size"]


class Refused(NamedTuple):
    """Why a record has no place on a device: a key of `schemas.dead_letter.REASONS`, or `unknown_app`."""

    reason: str
    detail: str


class Occurrence(NamedTuple):
    """A record of the device in an input topic. `turn`: the latest append time up to it in its topic, by which it is
    merged; `rank`: its topic's turn among equals.
    """

    raw: Raw
    turn: int
    rank: int
    placed: Entry | Refused


class Release(NamedTuple):
    """When and why a held record was processed: `due` is the append time that had to be read past, `by` the record
    that made it so (None: the sources' ends).
    """

    why: Freed
    due: int
    by: Entry | None


@dataclass
class Life:
    """A device from its first appearance on until it is forgotten, if ever. `fired`: which record a first was fired by:
    derived event and attribution number (0: in the lifetime); a session's number is that of its period, behind the
    start. `forgotten`: the device that was there before and is as if it had never been.
    """

    fired: dict[tuple[str, int], Entry] = field(default_factory=dict)
    sessions: dict[tuple[int, int], Entry] = field(default_factory=dict)
    forgotten: Device | None = None


@dataclass
class Reading:
    """What became of one occurrence. `fact` is what was said when it was read (None: it was not), `processed` what was
    said when it was decided (of a record that was not held: the same). `before` and `after` are the device then; of
    one that was not processed, as it was read. `read_by` is the device that the record found when it was read (None:
    none was known).
    """

    occurrence: Occurrence
    fact: Fact | None = None
    processed: Fact | None = None
    before: Device | None = None
    after: Device | None = None
    read_by: Device | None = None
    release: Release | None = None
    refused: Refused | None = None
    #: Not until the worker has read so many more of its topic's records.
    unread: int | None = None
    life: Life = field(default_factory=Life)


@dataclass
class History:
    """A device's records in the order in which they were decided."""

    readings: list[Reading] = field(default_factory=list)
    device: Device | None = None


class SeenJob(NamedTuple):
    """A job as it lies in a delivery or delay topic, the newest one of its id."""

    job: Job
    topic: str
    written: int


@dataclass
class Recorded:
    """What was written about the record. `letters`: those of its jobs and of itself."""

    decisions: list[Decision] = field(default_factory=list)
    jobs: dict[str, SeenJob] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


@dataclass
class UserSeen:
    """What is known of the record's user: its state now, and what the user stage has been told and still stands in its
    topic.
    """

    key: str
    state: User | None = None
    told: list[UserRecord] = field(default_factory=list)


@dataclass
class Kept:
    """What the worker keeps of the device. `positions`: by topic the offset that is read next; None: no worker has been
    here. `device`: its state now.
    """

    positions: dict[str, int] | None = None
    device: Device | None = None
    size: int = 0


class Looked(NamedTuple):
    """What was looked through: a topic's partition, from one append time on, and how many records that were."""

    topic: str
    partition: int
    records: int
    first: int | None
    last: int | None
    truncated: bool


@dataclass
class Material:
    """Everything that a story is made of. `now`: milliseconds. `live`: the configuration in force, `configuration` the
    one that decided the record, as far as it is kept; `generation`: the one that decided it, if that is known.
    """

    record_id: str
    device_key: str
    partition: int
    partitions: int
    now: int
    live: Configuration
    configuration: Configuration
    history: History
    recorded: Recorded
    kept: Kept
    user: UserSeen | None = None
    #: By user key, where records of one id are of several users; `user` is then that of the first one.
    users: dict[str, UserSeen] = field(default_factory=dict)
    generation: int | None = None
    controls: dict[Target, Control] = field(default_factory=dict)
    looked: list[Looked] = field(default_factory=list)
    job_bytes: int = 1_000_000
    #: How long delivery topics keep jobs, in milliseconds, and the consumer groups, for the remedies.
    jobs_kept: int = 7 * DAY
    worker: str = ""
    sender: str = ""
    #: The device key as it was written by whoever asks.
    asked_for: str = ""
