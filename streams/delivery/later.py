"""The jobs of a lane that are in memory before their time, by it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Count:
    """How many jobs have memory for that, in all lanes that share it."""

    def __init__(self) -> None:
        self.jobs = 0


class Later(Generic[T]):
    """A heap of jobs, each with its time (ms); of those with the same time, who came first is first.

    One whose turn has come keeps its memory in the lane's queue: however many come due while the partner is slow, what
    other lanes have is theirs.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._queued = 0
        self._serial = 0
        self._heap: list[tuple[float, int, T]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def queued(self) -> int:
        """So many in the lane's queue have their memory here."""
        return self._queued

    @property
    def memory(self) -> int:
        """How many jobs have memory here."""
        return len(self._heap) + self._queued

    def add(self, at: float, item: T) -> None:
        """Let `item` wait until `at`."""
        self._serial += 1
        self._count.jobs += 1
        heapq.heappush(self._heap, (at, self._serial, item))

    def is_due(self, now: int) -> bool:
        """Whether the time of the first one has come."""
        return bool(self._heap) and self._heap[0][0] <= now

    def pop(self) -> T:
        """Take the first one out."""
        self._count.jobs -= 1
        return heapq.heappop(self._heap)[2]

    def turn(self) -> T:
        """Take the first one out, into the lane's queue."""
        self._queued += 1
        return heapq.heappop(self._heap)[2]

    def left(self, queue: int) -> None:
        """The lane's queue has become shorter: so long."""
        if (gone := self._queued - queue) > 0:
            self._queued -= gone
            self._count.jobs -= gone

    def move(self, by: float) -> None:
        """Each waits for so much longer."""
        self._heap = [(at + by, serial, item) for at, serial, item in self._heap]

    def beyond(self, time: float, most: int) -> list[tuple[float, T]]:
        """Take out those of a later time than this, at most so many, the last ones. In their order, each with its
        time.
        """
        gone = sum(at > time for at, _, _ in self._heap)
        if not gone:
            return []
        # What is sorted is a heap.
        self._heap.sort()
        kept = len(self._heap) - min(gone, most)
        taken = [(at, item) for at, _, item in self._heap[kept:]]
        del self._heap[kept:]
        self._count.jobs -= len(taken)
        return taken

    def drop(self, goes: Callable[[T], bool]) -> list[T]:
        """Forget those that go, and return them."""
        dropped = [item for _, _, item in self._heap if goes(item)]
        self._heap = [one for one in self._heap if not goes(one[2])]
        heapq.heapify(self._heap)
        self._count.jobs -= len(dropped)
        return dropped
