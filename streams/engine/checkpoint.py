"""The checkpoint: how a batch comes to be applied exactly once. `Checkpoint.apply` is the whole protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from streams.clock import Clock
from streams.engine import exits
from streams.engine.faults import FaultPoints
from streams.engine.holds import Holds
from streams.engine.output import Output
from streams.engine.portion import Portion
from streams.engine.producer import Fenced, Place, Refused, Row, Write
from streams.engine.raw import Raw
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Stage, Unit
from streams.engine.store import Applied, Store
from streams.engine.untold import Untold
from streams.engine.writer import Writer
from streams.errors import Stop


class Done(NamedTuple):
    """What a batch came to: for the metrics. `marker`: where the last one lies, if there was one."""

    records: int
    counts: Counter[tuple[str, ...]]
    decided_from: list[int]
    marker: Place | None


class Checkpoint:
    """Applies the batches of one partition of a stage, one after the other."""

    def __init__(
        self,
        unit: Unit,
        stage: Stage,
        store: Store,
        writer: Writer,
        holds: Holds,
        untold: Untold,
        marker: Marker,
        clock: Clock,
        faults: FaultPoints,
        portion: Portion,
    ) -> None:
        self._unit, self._stage = unit, stage
        self._store, self._writer, self._clock = store, writer, clock
        self._reached = partial(faults.reached, unit.stage)
        self._portion = portion
        self.holds, self.untold = holds, untold
        self.marker = marker
        #: Not to be used again.
        self.failed = False

    async def apply(
        self,
        records: Sequence[Raw],
        progress: int | None,
        acknowledge: Callable[[], None],
        passed: Mapping[str, int] | None = None,
    ) -> Done:
        """Apply a batch of merged records (none: only release what `progress` has made due). `passed`: for topics with
        records that are nobody's input, the offset behind those that come before the next batch.

        1. Decide. In memory only; an error here (a record in the wrong partition) has changed nothing anywhere, and
           is raised.
        2. Produce jobs, decisions, dead letters, about once a second the daily counts (see `untold`), what the device
           stage tells the user stage, one changelog record for each changed row, and behind them the marker that says
           which input is thereby applied, all in one transaction of the process that alone may write for the
           partition (see `owners`), which other partitions' batches may be in as well: they happen together. The user
           stage reads committed records, so it is told of a record once, however often its batch was begun.
        3. Commit. This is the moment at which the batch has happened: its output and the knowledge of it appear
           together or not at all. A crash before it repeats the batch, a crash after it does not, for the marker is
           read before the inputs are.
        4. Write the same rows, and how far the changelog is thereby applied, into RocksDB in one atomic batch. Only
           now, because the state on disk must never be ahead of the changelog: a crash between 3 and 4 is made up for
           by reading on from there. Kafka may take back a commit that it has told of (see `fate`), so it is also
           checked: a recovery first reads the last record that the state has, and builds the state anew when that
           was rolled back; and after an abort, 2 looks for the transaction before, and raises `Fenced` when it is
           gone.
        5. Acknowledge to Faust, which then commits the group's offsets. They are for people who watch lag: the marker
           decides.

        What the pipeline did not take is applied next in the same way, then 5 follows once for all. An error in 2 to
        4 leaves a state that only a recovery can judge, and the pipeline's holds are ahead already: the process ends
        at once. An orderly end would commit what has not happened. Only `Fenced` is raised: then too
        this checkpoint must not be used again, and whose the partition is now the group must be asked.
        """
        done = Done(len(records), Counter(), [], None)
        left = records
        while True:
            output = self._decide(left, progress)  # 1
            last = output.taken == len(left) and not output.more
            marker = self._marker_after(left[: output.taken], (passed or {}) if last else {})
            if output.taken or output.puts or output.outgoing or marker != self.marker:
                try:
                    done = done._replace(marker=await self._write(output, marker))  # 2, 3, 4
                except BaseException as error:
                    self._fail(error, done)
                self.marker = marker
            done.counts.update(output.counts)
            done.decided_from.extend(output.decided_from)
            left = left[output.taken :]
            if not left and not output.more:
                break
        acknowledge()  # 5
        self._reached("acknowledged")
        return done

    async def note(self, marker: Marker, output: Output | None = None) -> Place:
        """Steps 2 to 4 without records: for a marker alone (where the inputs of a partition begin), or with rows that
        no record has changed. Raises `Fenced`.
        """
        try:
            place = await self._write(output or Output(), marker)
        except BaseException as error:
            self._fail(error, None)
        self.marker = marker
        return place

    async def tell(self) -> None:
        """Tell the report topic all that is untold, before the partition is let go of. Raises whatever goes wrong: then
        whoever has the partition next tells it. The checkpoint must not be used again.
        """
        if self.failed or not self.untold.stands:
            return
        self.failed = True
        output = Output()
        self.untold.tell(output, self._store.read)
        await self._write(output, self.marker)

    def _decide(self, records: Sequence[Raw], progress: int | None) -> Output:
        number, partitions = self._unit.number, self._stage.partitions
        began = self._clock.monotonic()
        output = self._stage.processor.process(
            number, records, progress, self._clock.now(), self._store.read, self.holds, partitions
        )
        self._portion.decided(output.taken, self._clock.monotonic() - began)
        if records and not output.taken and not output.more:
            raise RuntimeError(f"the pipeline took none of {len(records)} records of {self._unit}")
        self.untold.take(output, self._store.read, self._clock.monotonic(), self._clock.now())
        self._reached("decided")
        return output

    async def _write(self, output: Output, marker: Marker) -> Place:
        """Steps 2 to 4; when it returns, the batch has happened here too."""
        encoded = marker.encode()
        last = (self._stage.changelog, MARKER_KEY, encoded, None)

        def store(place: Place) -> None:
            self._reached("committed")
            output.puts[MARKER_KEY] = encoded
            self._store.write(output.puts, Applied(place.offset + 1, place.appended))
            self._reached("stored")

        return await self._writer.write(Write(self._unit.number, list(self._rows(output)), last, self._reached), store)

    def _rows(self, output: Output) -> Iterator[Row]:
        yield from output.outgoing
        report, changelog = self.untold.topic, self._stage.changelog
        for key, value in output.told.items():
            yield report, key, value, None
        for key, value in output.puts.items():
            yield changelog, key, value, None

    def _marker_after(self, records: Sequence[Raw], passed: Mapping[str, int]) -> Marker:
        positions = dict(self.marker.positions)
        for raw in records:
            read = raw.lies or raw
            positions[read.topic] = read.offset + 1
        for topic, offset in passed.items():
            positions[topic] = max(positions.get(topic, 0), offset)
        return Marker(positions)

    def _fail(self, error: BaseException, done: Done | None) -> None:
        self.failed = True
        if isinstance(error, Stop):
            exits.die(exits.DISK, f"{self._unit}: {error}")
        if isinstance(error, Fenced):
            error.done = done.counts if done else Counter()
            raise error
        if isinstance(error, Refused):
            exits.die(
                exits.CHECKPOINT_FAILED,
                f"{self._unit}: the brokers refuse what it or another partition has to write, look at the topics' "
                f"max.message.bytes and the rights (`ringback doctor`): {error}",
            )
        exits.die(exits.CHECKPOINT_FAILED, f"{self._unit}: the batch could not be checkpointed", error)
