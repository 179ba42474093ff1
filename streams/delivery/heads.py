"""The records of delay topics that were read and are not due: only the head of each partition is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .consumer import Taken
from .offsets import Tracker

#: A partition of which so many are left is read on, so that the next ones are there in time.
FEW = 500


class Waiting(NamedTuple):
    """The unopened records of one delay topic: how many were read, and when the oldest was appended."""

    tier: int
    jobs: int
    oldest: int


class Heads:
    """Queues of unopened records, one for each partition of a delay topic. `read_on` is called when all that was read
    of one has been taken; and before, when few are left, if all of them are due: there may be many.
    """

    def __init__(self, due: Callable[[int, int], bool], read_on: Callable[[Tracker], None]) -> None:
        self._due = due
        self._read_on = read_on
        self._queues: dict[Tracker, deque[Taken]] = {}

    def add(self, record: Taken) -> None:
        """Append a record to its partition's queue."""
        self._queues.setdefault(record.tracker, deque()).append(record)

    def take(self, room: int) -> Iterator[Taken]:
        """Up to `room` records that are due now, in the order of their partitions; when they are more, it is the next
        partition's turn the next time.
        """
        for tracker, queue in list(self._queues.items()):
            if room <= 0:
                return
            before = room
            while queue and room > 0 and self._is_due(queue[0]):
                room -= 1
                yield queue.popleft()
            if room <= 0:
                self._queues[tracker] = self._queues.pop(tracker)
            if not queue:
                del self._queues[tracker]
            if room < before and len(queue) <= FEW and (not queue or self._is_due(queue[-1])):
                self._read_on(tracker)

    def _is_due(self, record: Taken) -> bool:
        return self._due(record.tier or 0, record.appended)

    def forget(self, trackers: set[Tracker]) -> None:
        """Drop what was read of partitions that go."""
        for tracker in trackers:
            self._queues.pop(tracker, None)

    def waiting(self) -> dict[str, Waiting]:
        """What waits, by topic."""
        found: dict[str, Waiting] = {}
        for tracker, queue in self._queues.items():
            if queue:
                tier, jobs, oldest = found.get(tracker.topic, (queue[0].tier or 0, 0, queue[0].appended))
                found[tracker.topic] = Waiting(tier, jobs + len(queue), min(oldest, queue[0].appended))
        return found

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())
