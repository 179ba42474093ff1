"""What another configuration would have made of the records that lie in the input topics, beside the one in force.

Both are fed with the same records, read once; nothing is written, committed or sent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.config import Configuration
from streams import kafka
from streams.engine.holds import Holds
from streams.engine.output import Limits, Output
from streams.engine.pipeline import WrongPartition
from streams.engine.ports import Processor
from streams.engine.raw import Raw
from streams.engine.store import StoreMemory
from streams.errors import Stop
from streams.replay import run
from streams.replay.compare import SIDES, Comparison, Postback, Side
from streams.replay.reading import Column, Inputs, Tell, raws
from streams.replay.run import BATCH, Devices, Partition, Telling
from streams.replay.spool import SpilledRows, Spool
from streams.settings import Settings

EMPTY = Configuration(generation=0, sources=(), apps=(), partners=(), postbacks=())

WHOSE = {"before": "the live configuration", "after": "the new configuration"}


class History(NamedTuple):
    """What would change. `since`: append time (ms) from which on records are compared; `first`: that of the first
    record of all, None: there is none. `records`: how many were read, `compared`: how many of them since then.
    `missing`: input topics that do not exist. `cut`: of some topic the beginning is no longer there.
    """

    since: int
    first: int | None
    records: int
    compared: int
    seconds: float
    missing: tuple[str, ...]
    postbacks: dict[str, Postback]
    cut: bool = False


def compare(settings: Settings, live: Configuration | None, new: Configuration, since: int, tell: Tell) -> History:
    """Read the input topics through the rules of both configurations. Blocks for as long as that takes; raises `Stop`.

    `live`: the one in force, None: there is none. From the earliest records on both build their state; jobs of records
    that were appended from `since` (ms) on are compared.
    """
    sources = {source.topic: source for source in (*(live or EMPTY).sources, *new.sources)}
    if rekeyed := [topic for topic, source in sources.items() if source.rekey]:
        raise Stop(
            f"the history cannot be read: {', '.join(rekeyed)} is rekeyed, and its records lie in any partition",
            "without --history the plan tells what changes in the configuration",
        )
    with Inputs(settings, sources.values()) as inputs, tempfile.TemporaryDirectory(prefix="ringback-plan-") as folder:
        if not inputs.topics:
            raise Stop(
                f"there is no history: none of the input topics exists ({', '.join(sources)})",
                "look at `sources` and at `ringback topics list`; without --history the plan needs no topics",
            )
        comparing = _Comparing(settings, inputs, live or EMPTY, new, since, Path(folder))
        try:
            return comparing.run(tell)
        finally:
            comparing.close()


class _Comparing:
    """One comparison of two configurations."""

    def __init__(
        self, settings: Settings, inputs: Inputs, live: Configuration, new: Configuration, since: int, folder: Path
    ) -> None:
        self._inputs, self._since = inputs, since
        self._sources = {source.topic: source for source in (*live.sources, *new.sources)}
        self._found = Comparison()
        # A postback without jobs has its row too.
        for postback in (*live.postbacks, *new.postbacks):
            self._found.postbacks.setdefault(postback.id, Postback())
        memory = StoreMemory()
        self._sides = [
            _Side(side, configuration, settings, inputs, since, folder / side, memory)
            for side, configuration in zip(SIDES, (live, new), strict=True)
        ]
        #: A record waits at most so long (ms) for an install, so the sides are never further apart.
        self._apart = max((app.install_grace for app in (*live.apps, *new.apps)), default=0)
        self._first: int | None = None
        self._records = self._compared = 0

    def run(self, tell: Tell) -> History:
        """All of it."""
        began = time.monotonic()
        for number in range(self._inputs.partitions):
            self._devices(self._inputs.column(number), tell)
        for number in range(kafka.users_partitions(self._inputs.partitions)):
            self._users(number)
        return History(
            self._since,
            self._first,
            self._records,
            self._compared,
            time.monotonic() - began,
            self._inputs.missing,
            self._found.postbacks,
            cut=any(span.first > 0 for span in self._inputs.spans.values()),
        )

    def close(self) -> None:
        """Let go of what lies on disk."""
        for side in self._sides:
            side.finish()

    def _devices(self, column: Column, tell: Tell) -> None:
        """One partition of the device stage, on both sides at once."""
        for side in self._sides:
            side.begin(column.number)
            for empty in self._sources.keys() - {topic for topic in column.topics if not column.at_end(topic)}:
                side.end(empty)
        while (topic := column.behind()) is not None:
            records = raws(column.next(topic), self._sources[topic], column.number)
            self._count(records)
            for side in self._sides:
                side.feed(topic, records)
                if column.at_end(topic):
                    side.end(topic)
                side.decide(self._found)
            self._found.settle(min(side.progress for side in self._sides) - self._apart)
            tell(self._records, self._inputs.total)
        for side in self._sides:
            side.finish()
        self._found.settle()

    def _count(self, records: Iterable[Raw]) -> None:
        for record in records:
            self._records += 1
            self._compared += record.appended >= self._since
            if self._first is None or record.appended < self._first:
                self._first = record.appended

    def _users(self, number: int) -> None:
        """One partition of the user stage: whoever is behind goes first."""
        running = {side: reached for side in self._sides if (reached := side.begin_users(number)) is not None}
        while running:
            side = min(running, key=running.__getitem__)
            reached = side.decide_users(self._found)
            if reached is None:
                del running[side]
            else:
                running[side] = reached
            self._found.settle(min(running.values(), default=run.AT_LAST) - self._apart)
        for side in self._sides:
            side.finish()
        self._found.settle()


class _Side:
    """One of the two configurations, with what it has made so far."""

    def __init__(
        self,
        name: Side,
        configuration: Configuration,
        settings: Settings,
        inputs: Inputs,
        since: int,
        folder: Path,
        memory: StoreMemory,
    ) -> None:
        self._name, self._configuration, self._inputs, self._since = name, configuration, inputs, since
        self._folder, self._memory = folder, memory
        self._sources = {source.topic: source for source in configuration.sources}
        limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
        #: What decides before `since`, where only the state matters (firsts are tracked whether or not a postback is
        #: there), and from then on: the append time of a job's record stands in its decision.
        silent = msgspec.structs.replace(configuration, postbacks=())
        self._device = run.device_stage(silent, limits), run.device_stage(configuration, limits, "all")
        self._user = run.user_stage(silent, limits), run.user_stage(configuration, limits, "all")
        #: No postback of users, and nobody asks for what the user stage makes.
        self._spool = Spool(folder / "users") if any(one.scope == "user" for one in configuration.postbacks) else None
        (folder / "users").mkdir(parents=True)
        self._rows: SpilledRows | None = None

    def _partition(self, decides: Processor, number: int, stage: str) -> Partition:
        self._rows = SpilledRows(self._folder / stage / str(number), self._memory)
        return Partition(decides, number, self._inputs.partitions, self._rows, Holds())

    # -- devices

    def begin(self, number: int) -> None:
        """The next partition of the device stage."""
        self._number, self._telling = number, Telling(number)
        self._devices = Devices(tuple(self._sources.values()), self._partition(self._device[0], number, "device"))
        self._devices.switch(self._since, self._device[1])

    def feed(self, topic: str, records: list[Raw]) -> None:
        """The next records of a topic; not ours: nothing."""
        source = self._sources.get(topic)
        if source is None or not records:
            return
        if source != records[0].source:
            records = [record._replace(source=source) for record in records]
        self._devices.feed(topic, records)

    def end(self, topic: str) -> None:
        """The topic has been read to its end."""
        if topic in self._sources:
            self._devices.end(topic)

    @property
    def progress(self) -> int:
        """Everything that was appended before this has been decided, but for what is held."""
        return self._devices.progress

    def decide(self, found: Comparison) -> None:
        """Decide what may be decided by now. Raises `Stop`."""
        try:
            for output in self._devices.outputs():
                self._take(output, found)
                if self._spool is not None:
                    self._spool.add(self._number, self._telling.told(output))
        except WrongPartition as error:
            raise Stop(
                f"by {WHOSE[self._name]}: {error}", "a worker stops there too; `ringback doctor` looks at such things"
            ) from error

    def finish(self) -> None:
        """Let go of the partition's state."""
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    # -- users

    def begin_users(self, number: int) -> int | None:
        """The next partition of the user stage; how far it is (append time), None when there is nothing to do."""
        if self._spool is None:
            return None
        self._users = run.users_records(number, self._spool.told(number))
        self._users_partition = self._partition(self._user[0], number, "user")
        return -1

    def decide_users(self, found: Comparison) -> int | None:
        """Decide the next records; how far it has come, None at the end."""
        records: list[Raw] = list(islice(self._users, BATCH))
        if not records:
            return None
        if records[-1].appended >= self._since:
            self._users_partition = self._users_partition._replace(processor=self._user[1])
        for output in self._users_partition.process(records, None):
            self._take(output, found)
        return records[-1].appended

    def _take(self, output: Output, found: Comparison) -> None:
        for decision, jobs in run.decisions(output):
            if decision.appended >= self._since:
                found.told(self._name, decision)
                for job in jobs:
                    found.take(self._name, job, decision.appended)
