"""Recorded inputs of the worker put through both of its stages, in memory and by the worker's own code. Pure.

The records of a partition are merged by append time as the contract says (§4, *Merge*), so what comes out depends
neither on the order in which the partitions were read nor on batches, restarts or the clock.

The user stage reads what the device stage tells it. Where the users topic itself is at hand its order counts. Where it
is not: what one partition tells keeps its order, and of several partitions what tells of the record that was appended
first goes first (then the lower number). A worker that reads live writes in this order, as far as its partitions are
equally far.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import msgspec

from schemas.config import Configuration, Source
from schemas.decision import Decision
from schemas.job import Job
from streams.engine.holds import Holds
from streams.engine.merge import Merge
from streams.engine.output import Limits, Names, Output
from streams.engine.pipeline import Pipeline
from streams.engine.ports import Processor
from streams.engine.raw import Raw
from streams.engine.users import UserPipeline
from streams.kafka import partition_of, users_partitions
from streams.postbacks.decide import Level

#: Later than any append time: when every source stood at its end then, nothing is held any more.
AT_LAST = 1 << 61
#: Records that are decided at once.
BATCH = 2_000

#: What the stages call the topics that nothing is written to here.
NAMES = Names("delivery", "decisions", "dead-letters", "users")
USERS = Source(topic=NAMES.users, record="event")


class _When(msgspec.Struct):
    appended: int


_when = msgspec.json.Decoder(_When).decode
_job = msgspec.json.Decoder(Job).decode
_decision = msgspec.json.Decoder(Decision).decode


class Rows(Protocol):
    """Where the state of a stage's partition lies."""

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The rows of these keys, None where there is none."""
        ...

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Put rows; None deletes."""
        ...


class Memory:
    """Rows in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The rows of these keys, None where there is none."""
        return [self._rows.get(key) for key in keys]

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Put rows; None deletes."""
        for key, value in rows.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value

    def rows(self) -> Mapping[bytes, bytes]:
        """Every row."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)


class Partition(NamedTuple):
    """One partition of a stage: what decides in it, and where its state lies. `inputs`: how many the inputs have;
    `now`: milliseconds, what jobs say of when they were decided.
    """

    processor: Processor
    number: int
    inputs: int
    rows: Rows
    holds: Holds
    now: int = 0

    def process(self, records: Sequence[Raw], progress: int | None) -> Iterator[Output]:
        """What follows from these records, and from the holds that are due. Raises `WrongPartition`."""
        more = True
        while records or more:
            output = self.processor.process(
                self.number, records, progress, self.now, self.rows.read, self.holds, self.inputs
            )
            self.rows.write(output.puts)
            yield output
            more = output.more
            records = records[output.taken :]


def device_stage(configuration: Configuration, limits: Limits | None = None, level: Level = "off") -> Processor:
    """What decides in the device stage under this configuration. Raises as `Pipeline.configure` does."""
    pipeline = Pipeline(NAMES, level, limits or Limits(), partition_of)
    pipeline.configure(configuration)
    return pipeline


def user_stage(configuration: Configuration, limits: Limits | None = None, level: Level = "off") -> Processor:
    """What decides in the user stage under this configuration. Raises as `UserPipeline.configure` does."""
    pipeline = UserPipeline(NAMES, level, limits or Limits())
    pipeline.configure(configuration)
    return pipeline


class Devices:
    """One partition of the device stage, fed piece by piece: `feed` the sources and tell their ends in any order, and
    take the `outputs` now and then.
    """

    def __init__(self, sources: Sequence[Source], partition: Partition, batch: int = BATCH) -> None:
        self._partition, self._batch = partition, batch
        self._later: tuple[int, Processor] | None = None
        self._merge: Merge[Raw] = Merge([(source.topic, source.record == "install") for source in sources])

    def switch(self, since: int, processor: Processor) -> None:
        """Let another one decide from the first batch on that has a record appended at this time or later: one that
        tells more, say.
        """
        self._later = since, processor

    def feed(self, topic: str, records: Sequence[Raw]) -> None:
        """The next records of a source, in the order of their offsets."""
        if records:
            self._merge.feed(topic, records, records[-1].offset + 1)

    def end(self, topic: str) -> None:
        """The source has been fed whole: whatever waits for it, or is held, waits no longer."""
        position = max(0, self._merge.position(topic))
        self._merge.feed(topic, (), position)
        self._merge.stood_at(topic, position, AT_LAST)

    @property
    def progress(self) -> int:
        """Everything that was appended before this has been decided, but for what is held."""
        return self._merge.progress()

    def outputs(self) -> Iterator[Output]:
        """What follows from all that may go by now. Raises `WrongPartition`."""
        while records := self._merge.take(self._batch):
            if self._later is not None and any(record.appended >= self._later[0] for record in records):
                self._partition = self._partition._replace(processor=self._later[1])
                self._later = None
            yield from self._partition.process(records, self._merge.progress())
        due = self._partition.holds.next_due()
        if due is not None and due < self._merge.progress():
            yield from self._partition.process((), self._merge.progress())


class Told(NamedTuple):
    """A record for the user stage: sorts as it is processed there. `appended` never falls within an input partition
    `number`; `nth` counts what that one tells.
    """

    appended: int
    number: int
    nth: int
    partition: int
    key: bytes | None
    value: bytes


class Telling:
    """Puts what one input partition tells the user stage into its place. One for each, fed in order."""

    def __init__(self, number: int) -> None:
        self._number, self._last, self._count = number, -1, 0

    def told(self, output: Output) -> Iterator[Told]:
        """What a batch of the device stage tells."""
        for one in output.outgoing:
            if one.topic != NAMES.users:
                continue
            # What was held is told late: it stays behind what its partition has told before.
            self._last = max(self._last, _when(one.value).appended)
            self._count += 1
            yield Told(self._last, self._number, self._count, one.partition or 0, one.key, one.value)


def users_records(partition: int, told: Iterable[Iterable[Told]]) -> Iterator[Raw]:
    """A partition of the users topic as it comes of what each input partition tells it."""
    for offset, one in enumerate(heapq.merge(*told)):
        yield Raw(NAMES.users, partition, offset, one.appended, one.key, one.value, USERS)


def user_outputs(partition: Partition, records: Iterable[Raw], batch: int = BATCH) -> Iterator[Output]:
    """What follows in the user stage from the records of one partition of its topic, in their order."""
    records = iter(records)
    while some := list(islice(records, batch)):
        yield from partition.process(some, None)


class Setup(NamedTuple):
    """How a whole replay is made. `partitions`: how many the inputs have."""

    configuration: Configuration
    partitions: int
    limits: Limits = Limits()
    level: Level = "off"
    batch: int = BATCH
    now: int = 0


def replay(
    setup: Setup, records: Mapping[int, Iterable[Raw]], users: Mapping[int, Iterable[Raw]] | None = None
) -> Iterator[tuple[Source | None, Output]]:
    """Everything that comes of `records`, by partition and in any order within it; all at once in memory.

    First the device stage, by partition, then the user stage, whose outputs have `USERS` beside them. `users`: the
    users topic as it lies, if it is at hand. Raises `WrongPartition`.
    """
    told: list[list[Told]] = []
    sources = setup.configuration.sources
    decides = device_stage(setup.configuration, setup.limits, setup.level)
    for number, lying in sorted(records.items()):
        partition = Partition(decides, number, setup.partitions, Memory(), Holds(), setup.now)
        telling = Telling(number)
        told.append([])
        for output in _whole(Devices(sources, partition, setup.batch), sources, lying):
            told[-1] += telling.told(output)
            yield None, output
    decides = user_stage(setup.configuration, setup.limits, setup.level)
    for number in range(users_partitions(setup.partitions)):
        partition = Partition(decides, number, setup.partitions, Memory(), Holds(), setup.now)
        if users is None:
            lying = users_records(number, [[one for one in some if one.partition == number] for some in told])
        else:
            # Whatever its topic is called, the stage is the same.
            lying = (raw._replace(topic=NAMES.users, source=USERS) for raw in _in_order(users.get(number, ())))
        for output in user_outputs(partition, lying, setup.batch):
            yield USERS, output


def _whole(devices: Devices, sources: Iterable[Source], records: Iterable[Raw]) -> Iterator[Output]:
    lying: dict[str, list[Raw]] = {source.topic: [] for source in sources}
    for record in records:
        lying[record.topic].append(record)
    for topic, some in lying.items():
        devices.feed(topic, _in_order(some))
        devices.end(topic)
    return devices.outputs()


def _in_order(records: Iterable[Raw]) -> list[Raw]:
    return sorted(records, key=lambda record: record.offset)


def jobs(output: Output) -> Iterator[bytes]:
    """The jobs of a batch, as they would stand in the delivery topic."""
    return (one.value for one in output.outgoing if one.topic == NAMES.delivery)


def decisions(output: Output) -> Iterator[tuple[Decision, list[Job]]]:
    """The decisions of a batch, at level `all`, each with its jobs: a decision stands behind its jobs."""
    found: list[Job] = []
    for one in output.outgoing:
        if one.topic == NAMES.delivery:
            found.append(_job(one.value))
        elif one.topic == NAMES.decisions:
            yield _decision(one.value), found
            found = []
