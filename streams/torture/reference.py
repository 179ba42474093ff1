"""What must come of the records that lie in the input topics: the worker's own rules, without Kafka, processes or
batches that are interrupted, piece by piece. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from schemas.config import Configuration
from streams.engine.counts import COUNT_PREFIX, told
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names, Output
from streams.engine.pipeline import Pipeline
from streams.engine.raw import Raw
from streams.engine.stages import Unit
from streams.engine.users import UserPipeline
from streams.kafka import partition_of
from streams.postbacks.decide import Level
from streams.replay.run import Devices, Memory, Partition, user_outputs
from streams.torture.picture import Picture


class Setup(NamedTuple):
    """What the workers were told. `partitions`: how many the inputs have."""

    configuration: Configuration
    names: Names
    limits: Limits
    level: Level
    partitions: int


class Reference:
    """Fed with every partition of both stages, one after the other; then `picture` is what must lie in the topics."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.picture = Picture()
        self.records = 0
        self._devices = Pipeline(setup.names, setup.level, setup.limits, partition_of)
        self._users = UserPipeline(setup.names, setup.level, setup.limits)
        picture, names = self.picture, setup.names
        self._takes: dict[str, Callable[[int, bytes | None, bytes], None]] = {
            names.delivery: lambda place, _key, value: picture.take_job(place, value),
            names.users: picture.take_told,
            names.dead_letters: lambda _place, _key, value: picture.take_letter(value),
        }
        self._devices.configure(setup.configuration)
        self._users.configure(setup.configuration)

    def devices(self, number: int, fed: Iterable[tuple[str, Sequence[Raw], bool]]) -> None:
        """A partition of the device stage. `fed`: a topic, its next records, and whether those are its last ones; of
        the topics whichever is behind. Every topic comes to its last ones.
        """
        memory, unit = Memory(), Unit("device", number)
        partition = Partition(self._devices, number, self._setup.partitions, memory, Holds())
        devices = Devices(self._setup.configuration.sources, partition)
        for topic, records, last in fed:
            self.records += len(records)
            self._behind(unit, records)
            devices.feed(topic, records)
            if last:
                devices.end(topic)
            self._take(number, devices.outputs())
        self._end(unit, memory)

    def users(self, number: int, records: Iterable[Sequence[Raw]]) -> None:
        """A partition of the user stage: its topic as it lies."""
        memory, unit = Memory(), Unit("user", number)
        partition = Partition(self._users, number, self._setup.partitions, memory, Holds())
        for some in records:
            self._behind(unit, some)
            self._take(number, user_outputs(partition, some))
        self._end(unit, memory)

    def _end(self, unit: Unit, memory: Memory) -> None:
        rows = self.picture.rows[unit] = dict(memory.rows())
        for row, counts in rows.items():
            if row.startswith(COUNT_PREFIX):
                self.picture.take_report(unit.number, *told(row, counts))

    def _behind(self, unit: Unit, records: Sequence[Raw]) -> None:
        if records:
            self.picture.positions.setdefault(unit, {})[records[-1].topic] = records[-1].offset + 1

    def _take(self, number: int, outputs: Iterator[Output]) -> None:
        for output in outputs:
            for topic, key, value, partition in output.outgoing:
                take = self._takes.get(topic)
                if take is not None:
                    take(number if partition is None else partition, key, value)
