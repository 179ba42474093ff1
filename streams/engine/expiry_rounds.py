"""Lets the sweeps of a process take their turns, at a steady pace whatever else is done, and tells how large the states
are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, Protocol

from schemas.config import DAY, HOUR, Configuration
from streams.clock import Clock
from streams.engine.batch import LOOK_AGAIN
from streams.engine.expiry import Rules
from streams.engine.expiry_inputs import InputsApplied
from streams.engine.partition import Partition
from streams.engine.progress import Ends
from streams.engine.stages import Input, Stage, Unit
from streams.metrics import Metrics
from streams.settings import Settings

#: Rows looked at in one turn, at most: some milliseconds of a thread.
ROWS = 1_000
#: Append times of a topic that its producers stamp may run backwards by so much.
BACKWARDS = DAY
#: Seconds between two looks for something to do, when there was nothing.
IDLE_S = 1.0
#: Sizes are told so often (seconds).
SIZES_S = 15.0
#: Nothing is looked at in a partition that is further behind: what it has not read keeps its devices.
BEHIND = HOUR
#: What could not be told is asked for again after so long (seconds), and what could after so long.
AGAIN_S = 10.0
KNOWN_S = 60.0
NEVER = 1 << 62


class Host(Protocol):
    """The engine, as far as it is asked. All of it is its own and changes."""

    settings: Settings
    clock: Clock
    ends: Ends
    partitions: dict[Unit, Partition]
    stages: tuple[Stage, ...]

    @property
    def configuration(self) -> Configuration | None: ...


class Told(NamedTuple):
    """What the users topic holds up to `ends` is all that devices have to tell of records appended before `before`."""

    before: int
    ends: Mapping[Input, int]


class Rounds:
    """One per process; `run` for as long as it lives."""

    def __init__(self, host: Host, metrics: Metrics) -> None:
        self._host, self._metrics = host, metrics
        self._inputs = InputsApplied(host.settings)
        self._rules: Rules | None = None
        self._told: Told | None = None
        self._ask_again = self._sized_at = float("-inf")
        self._look_again: dict[Unit, float] = {}
        self._sized: set[Unit] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        rate = self._host.settings.sweep_rows
        while True:
            looked = await self._turn(min(ROWS, rate))
            await self._tell_sizes()
            await asyncio.sleep(looked / rate if looked else IDLE_S)

    async def _turn(self, rows: int) -> int:
        """Let the partitions look at this many rows, together, at most; how many it were."""
        rules, left = self._rules_now(), rows
        for unit, one in list(self._host.partitions.items()):
            if not left:
                break
            if rules is None or not rules.any_of(unit.stage) or not one.running or one.sweep.due:
                continue
            now = one.broker_clock.now()
            if one.sweep.rests(now) or (before := await self._before(one, now, rules)) is None or not one.running:
                continue
            left -= await one.beside(partial(one.sweep.look, rules, before, now, left))
        return rows - left

    def _rules_now(self) -> Rules | None:
        configuration = self._host.configuration
        if configuration is None:
            return None
        if self._rules is None or self._rules.generation != configuration.generation:
            self._rules = Rules(configuration)
        return self._rules

    async def _before(self, one: Partition, now: int, rules: Rules) -> int | None:
        """Every record that is still to come has been appended at this time or later; None: that is not known."""
        if one.unit.stage == "device":
            read_to = await self._read_to(one, now)
            # A producer's clock that is years ahead must not let everything be forgotten.
            return None if read_to < now - BEHIND else min(read_to, now) - BACKWARDS
        told = await self._told_by_all(now - BACKWARDS)
        if told is None or any(one.position(topic) < told.ends.get((topic, one.number), NEVER) for topic in one.topics):
            return None
        # What was held is told of when it is released, and later still when its app was not configured for a while.
        return told.before - BACKWARDS - rules.longest_hold - LOOK_AGAIN

    async def _read_to(self, one: Partition, now: int) -> int:
        """The append time before which everything has been read. Where nothing has come for a while the ends are looked
        up, as for a record that waits (see `Merge`).
        """
        read_to = one.merge.read_to()
        monotonic = self._host.clock.monotonic()
        if read_to >= now - BEHIND or monotonic < self._look_again.get(one.unit, 0.0):
            return read_to
        self._look_again[one.unit] = monotonic + AGAIN_S
        # Of a topic that a rekeyer writes no end tells anything.
        written = next((stage.written for stage in self._host.stages if stage.name == one.unit.stage), frozenset[str]())
        asked = [(topic, number) for topic, number in one.inputs if topic not in written]
        for (topic, _), end in (await self._host.ends.of(asked) or {}).items():
            if one.running:
                one.stood_at(topic, end, now)
        return one.merge.read_to()

    async def _told_by_all(self, before: int) -> Told | None:
        """How far all devices have told of; it is asked for anew after a while."""
        host, now = self._host, self._host.clock.monotonic()
        if now < self._ask_again:
            return self._told
        self._ask_again = now + AGAIN_S
        device, user = host.stages
        # Of a source that is rekeyed the group's offsets tell nothing: others read it, at their own pace.
        if device.written:
            return None
        inputs = [(topic, number) for topic in device.topics for number in range(device.partitions)]
        if not await asyncio.to_thread(self._inputs.before, inputs, before):
            return self._told
        ends = await host.ends.of([(topic, number) for topic in user.topics for number in range(user.partitions)])
        if ends is not None:
            self._told, self._ask_again = Told(before, ends), now + KNOWN_S
        return self._told

    async def _tell_sizes(self) -> None:
        now, metrics = self._host.clock.monotonic(), self._metrics
        partitions = [(unit, one) for unit, one in self._host.partitions.items() if one.running]
        if now - self._sized_at < SIZES_S and self._sized == {unit for unit, _ in partitions}:
            return
        self._sized_at = now
        told: set[Unit] = set()
        for unit, one in partitions:
            if one.running:
                rows, size = await one.beside(one.sweep.size)
                metrics.state_rows.labels(unit.stage, str(unit.number)).set(rows)
                metrics.state_bytes.labels(unit.stage, str(unit.number)).set(size)
                told.add(unit)
        for unit in self._sized - told:
            # Others tell of it from now on.
            metrics.state_rows.remove(unit.stage, str(unit.number))
            metrics.state_bytes.remove(unit.stage, str(unit.number))
        self._sized = told
