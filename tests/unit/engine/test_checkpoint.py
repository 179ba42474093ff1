"""The protocol's order: the marker goes with what it speaks of, the state follows the commit, the end comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from schemas.config import Source
from schemas.report import ReportRow, UntoldMark
from streams.clock import ManualClock
from streams.engine.checkpoint import Checkpoint
from streams.engine.faults import FaultPoints
from streams.engine.holds import Holds
from streams.engine.output import Outgoing, Output
from streams.engine.portion import Portion
from streams.engine.producer import Fenced, Place, Row, Write
from streams.engine.raw import Raw
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Stage, Unit
from streams.engine.store import Store, StoreMemory
from streams.engine.untold import NOTE_PREFIX, Untold
from tests.unit.reports.counting import events as installs

EVENTS = Source(topic="events", record="event")
BEFORE, AFTER = Marker({"events": 5, "installs": 9}), Marker({"events": 7, "installs": 9})


class Deciding:
    """Writes a job and a row for a batch."""

    def process(self, partition: int, records: list[Raw], *_: object) -> Output:
        return Output(len(records), outgoing=[Outgoing("delivery", b"k", b"job")], puts={b"dk": b"new"})


class Deciders:
    """Decides as whoever is its `processor` at the time."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def process(self, *given: Any) -> Output:
        return cast(Output, self.processor.process(*given))


class Bench:
    """A checkpoint over a real store; `self.writes` is what its writer was given, by transaction."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, StoreMemory())
        self.store.open()
        self.writes: list[list[Row]] = []
        #: What the store held while the transaction was open.
        self.stored: bytes | None = b"?"
        self.clock = ManualClock()
        #: Whether its writer may not write any more.
        self.fenced = False
        self.stage = Deciders(Deciding())
        stage = Stage("device", (EVENTS,), 1, "changelog", cast(Any, self.stage))
        untold = Untold("report", "device", 0, "w")
        given: Any = (self.store, cast(Any, self), Holds(), untold, BEFORE, self.clock, FaultPoints(), Portion(100))
        self.checkpoint = Checkpoint(Unit("device", 0), stage, *given)

    async def write(self, write: Write, committed: Callable[[Place], None]) -> Place:
        if self.fenced:
            raise Fenced("another has it")
        self.writes.append([*write.rows, write.last])
        (self.stored,) = self.store.read([b"dk"])
        place = Place(41, 1_000, 0.0)
        committed(place)
        return place


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "store")
    yield made
    made.store.close()


RECORDS = [Raw("events", 0, offset, 1_000, b"k", b"{}", EVENTS) for offset in (5, 6)]


async def test_the_marker_is_the_last_record_of_the_transaction_that_it_speaks_of(bench: Bench) -> None:
    await bench.checkpoint.apply(RECORDS, None, lambda: None)
    (rows,) = bench.writes
    assert [(row[0], row[1]) for row in rows] == [("delivery", b"k"), ("changelog", b"dk"), ("changelog", MARKER_KEY)]
    assert Marker.decode(rows[-1][2]) == AFTER


async def test_the_state_is_stored_behind_the_commit_with_how_far_it_reaches(bench: Bench) -> None:
    await bench.checkpoint.apply(RECORDS, None, lambda: None)
    assert bench.stored is None, "the state on disk was ahead of the changelog"
    assert bench.store.read([b"dk", MARKER_KEY]) == [b"new", AFTER.encode()]
    found = bench.store.applied()
    assert found is not None
    assert found.offset == 42


async def test_a_batch_is_acknowledged_when_it_is_stored(bench: Bench) -> None:
    stored: list[bytes | None] = []
    await bench.checkpoint.apply(RECORDS, None, lambda: stored.extend(bench.store.read([b"dk"])))
    assert stored == [b"new"]


class Counting:
    """Counts in a row of the report."""

    def process(self, partition: int, records: list[Raw], *_: object) -> Output:
        return Output(len(records), puts={ROW: b'{"install":2}'}, counted=[ROW])


ROW = b"c" + installs("acme", writer="w").key()
MARK = UntoldMark(stage="device", since=0, writer="w").key()


async def test_what_a_batch_leaves_untold_is_told_with_its_end(bench: Bench) -> None:
    bench.stage.processor = cast(Any, Counting())
    await bench.checkpoint.apply(RECORDS, None, lambda: None)
    await bench.checkpoint.tell()
    first, last = bench.writes
    assert [row[:2] for row in first] == [
        ("report", MARK), ("changelog", ROW), ("changelog", NOTE_PREFIX + b"0"), ("changelog", MARKER_KEY),
    ]  # fmt: skip
    assert [row[:2] for row in last] == [
        ("report", ROW[1:]), ("report", MARK), ("changelog", NOTE_PREFIX + b"0"), ("changelog", MARKER_KEY),
    ]  # fmt: skip
    told = msgspec.json.decode(last[0][2] or b"", type=ReportRow)
    assert told == installs("acme", writer="w", install=2)
    assert (last[1][2], last[2][2], last[3][2]) == (None, None, AFTER.encode())
    assert bench.store.read([NOTE_PREFIX + b"0"]) == [None]


async def test_after_a_second_it_is_told_without_records(bench: Bench) -> None:
    bench.stage.processor = cast(Any, Counting())
    await bench.checkpoint.apply(RECORDS, None, lambda: None)
    bench.stage.processor = cast(Any, Nothing())
    bench.clock.advance(100)
    await bench.checkpoint.apply([], None, lambda: None)
    assert len(bench.writes) == 1
    bench.clock.advance(900)
    await bench.checkpoint.apply([], None, lambda: None)
    assert [row[:2] for row in bench.writes[1]][:2] == [("report", ROW[1:]), ("report", MARK)]


class Nothing:
    """Has nothing to decide."""

    def process(self, partition: int, records: list[Raw], *_: object) -> Output:
        return Output(len(records))


async def test_a_checkpoint_that_has_failed_tells_nothing(bench: Bench) -> None:
    bench.stage.processor = cast(Any, Counting())
    await bench.checkpoint.apply(RECORDS, None, lambda: None)
    bench.fenced = True
    with pytest.raises(Fenced):
        await bench.checkpoint.apply(RECORDS, None, lambda: None)
    bench.fenced = False
    await bench.checkpoint.tell()
    assert len(bench.writes) == 1
