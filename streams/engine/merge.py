"""The order in which the sources of one partition are processed (contract §4, *Merge*). Pure.

Always the earliest append time next; on ties installs first, then the order of the sources. A record waits while
another source has nothing buffered and is not known to have been read past the record's append time, or to have stood
at its end at a moment after it. So the same topics give the same order live, after a stop, and from a backlog.

Within a source the order of offsets is kept, whatever the append times say: where they run backwards (a topic with
`CreateTime`), a record is placed by its own append time when it is the next of its source, as Kafka Streams does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar


class Appended(Protocol):
    """What the merge needs to know of a record."""

    @property
    def appended(self) -> int: ...


R = TypeVar("R", bound=Appended)

#: Progress when there is no install source at all: nothing that is held can still be met by an install.
WITHOUT_INSTALLS = 1 << 62


class Wait(NamedTuple):
    """A record cannot go: `topics` must be read, or found at their end at a moment, after `appended`."""

    topics: tuple[str, ...]
    appended: int

    def __str__(self) -> str:
        return f"it waits for {', '.join(self.topics)} to pass append time {self.appended}"


class Limits(NamedTuple):
    """How much is buffered per source, and how much is taken at once. A source that has reached either limit is not
    fetched from.
    """

    records: int = 4_000
    size: int = 4_000_000
    batch_size: int = 8_000_000


class _Input(Generic[R]):
    """One source in this partition."""

    __slots__ = ("buffer", "end", "is_install", "known_to", "moment", "position", "rank", "size", "topic")

    def __init__(self, topic: str, is_install: bool, rank: int) -> None:
        self.topic = topic
        self.is_install = is_install
        self.rank = rank
        self.buffer: deque[R] = deque()
        #: Bytes in the buffer, about.
        self.size = 0
        #: Offset that is read next; −1 until the first fetch.
        self.position = -1
        #: Every record with an append time before this one has been read.
        self.known_to = -1
        #: The newest look-up: `end` was the end at `moment`.
        self.end = -1
        self.moment = -1

    def settle(self) -> None:
        """Everything up to a looked-up end has been read: then all that was appended before that moment has been."""
        if self.moment > self.known_to and self.position >= self.end:
            self.known_to = self.moment


class Merge(Generic[R]):
    """The buffers of one partition. `sources` are (topic, is install) in the order of the configuration."""

    def __init__(self, sources: Sequence[tuple[str, bool]], limits: Limits | None = None) -> None:
        ordered = sorted(sources, key=lambda source: not source[1])
        self._inputs = [_Input[R](topic, is_install, rank) for rank, (topic, is_install) in enumerate(ordered)]
        self._by_topic = {one.topic: one for one in self._inputs}
        self._limits = limits or Limits()

    def feed(self, topic: str, records: Sequence[R], position: int, size: int = 0) -> None:
        """Buffer the next records of a source, in offset order; `position` is the offset behind them, `size` their
        bytes.
        """
        one = self._by_topic[topic]
        if records:
            one.buffer.extend(records)
            one.size += size
            one.known_to = max(one.known_to, max(record.appended for record in records))
        one.position = max(one.position, position)
        one.settle()

    def stood_at(self, topic: str, end: int, moment: int) -> None:
        """The end of a source, looked up after `moment`: the append time that a record appended at that moment would
        have had.
        """
        one = self._by_topic[topic]
        if moment > one.moment:
            one.end, one.moment = end, moment
            one.settle()

    def passed(self, topic: str, before: int) -> None:
        """Whoever writes the source says that everything of it that was appended before this time has been read."""
        one = self._by_topic[topic]
        one.known_to = max(one.known_to, before)

    def wanted(self) -> list[str]:
        """The sources to fetch from: not those that have run ahead and wait for another one."""
        most = self._limits
        return [one.topic for one in self._inputs if len(one.buffer) < most.records and one.size < most.size]

    def waits(self) -> Wait | None:
        """What keeps the earliest buffered record from going; None when it may go, or when nothing is buffered."""
        first = self._first()
        if first is None:
            return None
        appended = first.buffer[0].appended
        blocking = tuple(one.topic for one in self._inputs if not one.buffer and one.known_to <= appended)
        return Wait(blocking, appended) if blocking else None

    def unsure(self) -> Wait | None:
        """What keeps the latest buffered record from going in the end; None when all may go, or nothing is buffered."""
        latest = max((one for one in self._inputs if one.buffer), key=lambda one: one.buffer[-1].appended, default=None)
        if latest is None:
            return None
        appended = latest.buffer[-1].appended
        blocking = tuple(one.topic for one in self._inputs if one is not latest and one.known_to <= appended)
        return Wait(blocking, appended) if blocking else None

    def take(self, limit: int) -> list[R]:
        """The next records, at most `limit` of them; empty when the partition waits or has nothing."""
        taken: list[R] = []
        size = 0
        while len(taken) < limit and size < self._limits.batch_size:
            first = self._first()
            if first is None:
                break
            before, waiting = len(taken), len(first.buffer)
            each = first.size // waiting
            room = min(limit - before, (self._limits.batch_size - size) // each + 1 if each else limit)
            self._take_run(first, self._last_before_others(first), room, taken)
            count = len(taken) - before
            if not count:
                break
            size += each * count
            first.size -= first.size * count // waiting
        return taken

    def progress(self) -> int:
        """The append time P such that every record appended before P has been taken (or there was none to take).

        All sources count, not those of installs only: a hold that is due before P is released before everything that
        is still to come, and what was appended before it was due has gone before. So a backlog, whose installs have
        long been read, releases a hold between the same records as a live stream does.
        """
        if not any(one.is_install for one in self._inputs):
            return WITHOUT_INSTALLS
        return self.read_to()

    def read_to(self) -> int:
        """The append time before which every record has been taken, whatever the sources are of."""
        return min(one.buffer[0].appended if one.buffer else one.known_to for one in self._inputs)

    def empty(self) -> tuple[str, ...]:
        """The sources with nothing buffered: their ends tell how far progress has come."""
        return tuple(one.topic for one in self._inputs if not one.buffer)

    def share(self, topic: str) -> float:
        """How much of what may be buffered of a source is: 1 and more is full."""
        one = self._by_topic[topic]
        return max(len(one.buffer) / self._limits.records, one.size / self._limits.size)

    def __len__(self) -> int:
        return sum(len(one.buffer) for one in self._inputs)

    def buffered(self, topic: str) -> R | None:
        """The next record of a source, or None."""
        buffer = self._by_topic[topic].buffer
        return buffer[0] if buffer else None

    def position(self, topic: str) -> int:
        """The offset of a source that is read next; −1 when nothing has been read."""
        return self._by_topic[topic].position

    def _first(self) -> _Input[R] | None:
        """The source whose next record is the earliest; among equals the one of the lowest rank."""
        first = None
        for one in self._inputs:
            if one.buffer and (first is None or one.buffer[0].appended < first.buffer[0].appended):
                first = one
        return first

    def _last_before_others(self, first: _Input[R]) -> int:
        """The latest append time up to which `first` may go before it is another source's turn, or not known whose."""
        last = WITHOUT_INSTALLS
        for other in self._inputs:
            if other is first:
                continue
            if other.buffer:
                last = min(last, other.buffer[0].appended - (other.rank < first.rank))
            else:
                last = min(last, other.known_to - 1)
        return last

    @staticmethod
    def _take_run(first: _Input[R], last: int, room: int, taken: list[R]) -> None:
        buffer = first.buffer
        pop, append = buffer.popleft, taken.append
        while room and buffer and buffer[0].appended <= last:
            append(pop())
            room -= 1
