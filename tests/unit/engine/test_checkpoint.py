"""The protocol's order: the marker goes with what it speaks of, the state follows the commit, the end comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.config import Source
from streams.clock import ManualClock
from streams.engine.checkpoint import Checkpoint
from streams.engine.faults import FaultPoints
from streams.engine.holds import Holds
from streams.engine.output import Outgoing, Output
from streams.engine.portion import Portion
from streams.engine.producer import Place, Row, Write
from streams.engine.raw import Raw
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Stage, Unit
from streams.engine.store import Store, StoreMemory
from streams.engine.untold import Untold

EVENTS = Source(topic="events", record="event")
BEFORE, AFTER = Marker({"events": 5, "installs": 9}), Marker({"events": 7, "installs": 9})


class Deciding:
    """Writes a job and a row for a batch."""

    def process(self, partition: int, records: list[Raw], *_: object) -> Output:
        return Output(len(records), outgoing=[Outgoing("delivery", b"k", b"job")], puts={b"dk": b"new"})


class Bench:
    """A checkpoint over a real store; `self.writes` is what its writer was given, by transaction."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, StoreMemory())
        self.store.open()
        self.writes: list[list[Row]] = []
        #: What the store held while the transaction was open.
        self.stored: bytes | None = b"?"
        stage = Stage("device", (EVENTS,), 1, "changelog", cast(Any, Deciding()))
        given: Any = (
            self.store,
            cast(Any, self),
            Holds(),
            Untold("report", "device", 0, "w"),
            BEFORE,
            ManualClock(),
            FaultPoints(),
            Portion(100),
        )
        self.checkpoint = Checkpoint(Unit("device", 0), stage, *given)

    async def write(self, write: Write, committed: Callable[[Place], None]) -> Place:
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
