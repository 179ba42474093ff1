"""State is read back from the changelog: all of it, or what a process does not have yet, and whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Producer

from streams.engine.changelog import CHUNK
from streams.engine.faults import FaultPoints
from streams.engine.producer import BarrierProducer, TransactionalProducer
from streams.engine.recovery import MARKER_KEY, Abandoned, Marker, Recovered, Recovery
from streams.engine.stages import Stage, Unit, changelog_topic, transactional_id
from streams.engine.store import Store, StoreMemory
from streams.settings import Settings
from tests.support.topics import create_topics

ROWS = 3 * CHUNK
UNIT = Unit("device", 0)
MARKER = Marker({"events": ROWS})


class Bench:
    """A changelog of one partition, and the recoveries of a store in a folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.topic = settings, changelog_topic(settings)
        self.store = Store(folder / "store", StoreMemory())
        create_topics(settings.bootstrap_servers, {self.topic: 1}, {"message.timestamp.type": "LogAppendTime"})
        self.stage = Stage("device", (), 1, self.topic, cast(Any, None))
        self.stopped = False
        self.recovery: Recovery | None = None

    def write(self, rows: Iterator[tuple[bytes, bytes | None]]) -> None:
        """To the changelog, with the marker behind them."""
        producer = Producer({"bootstrap.servers": self.settings.bootstrap_servers, "linger.ms": 20})
        for key, row in (*rows, (MARKER_KEY, MARKER.encode())):
            producer.produce(self.topic, row, key, 0)
        producer.flush()

    def recover(self, stop_after: int = 1 << 62) -> Recovered:
        """As a partition does that is assigned, and closed when so many offsets have been read."""
        producer = TransactionalProducer(self.settings, transactional_id(self.settings, UNIT), 0)
        barriers = BarrierProducer(self.settings)

        def stopped() -> bool:
            way = recovery.remaining
            return way is not None and way.at - way.start >= stop_after

        recovery = Recovery(self.settings, UNIT, self.stage, self.store, producer, barriers, stopped, FaultPoints())
        self.recovery = recovery
        self.store.open()
        try:
            recovery.fence()
            return recovery.read()
        finally:
            if stop_after < 1 << 62:
                self.store.close()


@pytest.fixture
def bench(settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(settings, tmp_path)
    yield made
    made.store.close()


def test_the_newest_row_of_each_key_is_there_and_deleted_ones_are_not(bench: Bench) -> None:
    bench.write((b"d%d" % (number % 1_000), b"%d" % number) for number in range(ROWS))
    bench.write(iter([(b"d7", None)]))
    found = bench.recover()
    assert (found.marker, found.records) == (MARKER, ROWS + 4)  # two markers, the row deleted, the barrier
    newest = {b"d%d" % (number % 1_000): b"%d" % number for number in range(ROWS)} | {b"d7": None}
    assert dict(zip(newest, bench.store.read(list(newest)), strict=True)) == newest
    assert bench.recovery is not None
    assert bench.recovery.remaining is not None
    assert bench.recovery.remaining.left == 0
    bench.store.close()
    bench.write(iter([(b"d8", b"new")]))
    assert bench.recover().records == 3, "only the tail is read again: a row, its marker, the barrier"
    assert bench.store.read([b"d8", b"d9"]) == [b"new", newest[b"d9"]]


def test_one_that_was_interrupted_goes_on_where_it_was(bench: Bench) -> None:
    bench.write((b"d%d" % number, b"x") for number in range(ROWS))
    with pytest.raises(Abandoned):
        bench.recover(stop_after=1)
    found = bench.recover()
    assert found.marker == MARKER
    assert 0 < found.records < ROWS
    assert len(list(bench.store.rows(b"d"))) == ROWS
