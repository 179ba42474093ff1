"""The common transactions of a process: what is gathered, one at a time, and what each partition is told."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest

from streams.engine.fate import Stopped
from streams.engine.producer import Fenced, Place, Write
from streams.engine.writer import MOST, MUCH, Writer, Writers
from streams.settings import Settings


class Recording:
    """A producer that keeps what it was given, by transaction, and may fail or be held up."""

    def __init__(self) -> None:
        self.transactions: list[list[Write]] = []
        self.failure: BaseException | None = None
        self.missing: BaseException | None = None
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def write_all(self, writes: Sequence[Write]) -> list[Place]:
        self.transactions.append(list(writes))
        self.begun.set()
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return [Place(100 + write.partition, 1_000, 0.0) for write in writes]

    def make_sure_when_shaken(self, stopped: Stopped) -> None:
        if self.missing is not None:
            raise self.missing


class Bench:
    """A writer over such a producer; `busy`: how many partitions have something under way."""

    def __init__(self) -> None:
        self.producer, self.busy = Recording(), 0
        self.writers = Writers(Settings(), busy=lambda: self.busy)
        self.writer = self.made(self.writers.current)

    def made(self, writer: Writer) -> Writer:
        writer._producer = cast(Any, self.producer)
        return writer

    async def write(self, partition: int, rows: int = 1, committed: Any = lambda place: None) -> Place:
        row = ("jobs", b"k", b"v", None)
        last = ("changelog", b"m", b"{}", None)
        return await self.writer.write(Write(partition, [row] * rows, last, lambda step: None), committed)

    @property
    def partitions(self) -> list[list[int]]:
        """Which partitions were in each transaction."""
        return [sorted(write.partition for write in writes) for writes in self.producer.transactions]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_what_is_decided_at_about_the_same_time_is_in_one_transaction(bench: Bench) -> None:
    bench.busy = 3
    places = await asyncio.gather(*(bench.write(number) for number in range(3)))
    assert bench.partitions == [[0, 1, 2]]
    assert [place.offset for place in places] == [100, 101, 102]


async def test_it_waits_for_nobody_when_nobody_else_has_something_under_way(bench: Bench) -> None:
    bench.busy = 1
    loop = asyncio.get_running_loop()
    begun = loop.time()
    bench.writer._gather_s = 10.0
    await bench.write(0)
    assert loop.time() - begun < 5


async def test_much_does_not_wait_for_more(bench: Bench) -> None:
    bench.busy = 2
    bench.writer._gather_s = 10.0
    await asyncio.wait_for(bench.write(0, rows=MUCH), 5)
    assert bench.partitions == [[0]]


async def test_one_that_never_comes_is_not_waited_for_long(bench: Bench) -> None:
    bench.busy = 2
    await asyncio.wait_for(bench.write(0), 5)
    assert bench.partitions == [[0]]


async def test_there_is_one_transaction_at_a_time_and_the_next_takes_all_that_came_meanwhile(bench: Bench) -> None:
    bench.producer.gate.clear()
    first = asyncio.create_task(bench.write(0))
    assert await asyncio.to_thread(bench.producer.begun.wait, 10)
    others = [asyncio.create_task(bench.write(number)) for number in (1, 2)]
    await asyncio.sleep(0.05)
    assert bench.partitions == [[0]]
    bench.producer.gate.set()
    await asyncio.gather(first, *others)
    assert bench.partitions == [[0], [1, 2]]


async def test_each_is_told_behind_the_commit_and_before_its_write_returns(bench: Bench) -> None:
    told: list[int] = []
    await bench.write(7, committed=lambda place: told.append(place.offset))
    assert told == [107]


async def test_what_one_partition_fails_at_behind_the_commit_is_its_own_affair(bench: Bench) -> None:
    def fail(place: Place) -> None:
        raise OSError("no room")

    bench.busy = 2
    outcomes = await asyncio.gather(bench.write(0, committed=fail), bench.write(1), return_exceptions=True)
    assert isinstance(outcomes[0], OSError)
    assert outcomes[1] == Place(101, 1_000, 0.0)


async def test_when_it_may_not_write_any_more_each_is_told_for_itself_and_there_is_another_one(bench: Bench) -> None:
    bench.busy = 2
    bench.producer.failure = Fenced("taken over")
    outcomes = await asyncio.gather(bench.write(0), bench.write(1), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["taken over"] * 2
    first, second = (cast(Fenced, outcome) for outcome in outcomes)
    first.done = Counter({("a",): 1})
    assert not second.done
    bench.producer.failure = None
    with pytest.raises(Fenced, match="taken over"):
        await bench.write(2)
    assert len(bench.producer.transactions) == 1
    another = bench.writers.current
    assert another is not bench.writer
    assert another.name != bench.writer.name
    assert another is bench.writers.current


async def test_a_look_finds_what_is_not_there_any_more(bench: Bench) -> None:
    bench.writer.look()
    assert bench.writer._running is not None
    await bench.writer._running
    bench.producer.missing = Fenced("rolled back")
    bench.writer.look()
    with pytest.raises(Fenced, match="rolled back"):
        await bench.write(0)
    assert bench.writer.ended == "rolled back"


async def test_what_comes_during_a_look_is_written_behind_it(bench: Bench) -> None:
    bench.writer.look()
    assert (await asyncio.wait_for(bench.write(3), 5)).offset == 103


def test_each_assignment_has_a_writer_of_its_own(bench: Bench) -> None:
    bench.writers.renew()
    assert bench.writers.current.name != bench.writer.name


async def test_a_transaction_takes_no_more_than_it_may(bench: Bench) -> None:
    bench.producer.gate.clear()
    first = asyncio.create_task(bench.write(0))
    assert await asyncio.to_thread(bench.producer.begun.wait, 10)
    others = [asyncio.create_task(bench.write(number, rows=MOST // 2)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    bench.producer.gate.set()
    await asyncio.gather(first, *others)
    assert bench.partitions == [[0], [1, 2], [3]]


async def test_an_error_outside_of_the_producer_is_told_too(bench: Bench) -> None:
    bench.writer._threads.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        await asyncio.wait_for(bench.write(0), 5)
