"""The records of several partitions in the order of their times, as well as can be. Pure.

Each partition is read in its own order, and keeps it. A record comes when no partition that is still being caught up
with can hold an earlier one: that of a partition that is read to its end comes at once, since nobody knows when the
next one will.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Place = Hashable

#: With so many waiting the earliest one goes, whatever a partition that cannot be read would have had.
MOST_WAITING = 100_000


class _Kept(NamedTuple, Generic[Item]):
    at: int
    item: Item


class Merge(Generic[Item]):
    """Puts what is read of `places` in order. `most`: how much may wait in memory."""

    def __init__(self, places: Iterable[Place], most: int = MOST_WAITING) -> None:
        self._queues: dict[Place, deque[_Kept[Item]]] = {}
        #: By place, the time of what was put last: nothing comes before it.
        self._newest: dict[Place, int] = {}
        self._behind = set(places)
        self._most = most
        self._waiting = 0

    def put(self, place: Place, at: int, item: Item) -> None:
        """The next one of a partition. Its time counts as that of the one before when it is earlier."""
        at = self._newest[place] = max(at, self._newest.get(place, at))
        self._queues.setdefault(place, deque()).append(_Kept(at, item))
        self._waiting += 1

    def reached_end(self, place: Place) -> None:
        """All that the partition has for now was put."""
        self._behind.discard(place)

    def take(self) -> Iterator[Item]:
        """Those whose turn it is."""
        heads = [(queue[0].at, number, place) for number, (place, queue) in enumerate(self._queues.items())]
        heapq.heapify(heads)
        while heads:
            if self._waiting <= self._most and any(place not in self._queues for place in self._behind):
                return
            _, number, place = heapq.heappop(heads)
            queue = self._queues[place]
            kept = queue.popleft()
            self._waiting -= 1
            if queue:
                heapq.heappush(heads, (queue[0].at, number, place))
            else:
                del self._queues[place]
            yield kept.item
