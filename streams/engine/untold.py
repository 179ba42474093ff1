"""The rows of daily counts that one partition has changed since it last told the report topic of them. Pure.

A transaction costs by the partitions that it touches, and small batches follow one another quickly: told with each of
them, the same few rows would go to the report topic thirty times a second. So they go there about once a second, whole,
all those of a partition in one transaction. Time only says when they are told, never what.

Which rows are untold lies beside the states in RocksDB and in the changelog, in *notes*: each batch that changes rows
which were not untold before adds one with their keys, telling deletes them all. Whoever has the partition next tells
them at once. As long as there is a note, a mark of the partition stands in the report topic (`UntoldMark`): so a reader
knows that there is more than it sees, and when it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from schemas.report import UntoldMark
from streams.engine.counts import COUNT_PREFIX, told
from streams.engine.output import Output

#: Notes are the engine's own rows (`store.OWN_PREFIX`), behind this by number, from 0 on.
NOTE_PREFIX = b"m:untold:"

#: Seconds after the first change, with the next batch: the transactions of a second share the work of telling, but a
#: report is never further behind than anybody who asks for one will wait.
LEAST_S = 0.5
#: Not all partitions tell in the same transaction: which part of this is added says the partition's number.
SPREAD_S = 0.3
#: No batch has come for so long since: then without one. Within a second in all.
ALONE_S = 0.15
#: With so many rows it is time, whatever the clock says: one transaction must take them, and a note is small.
MOST_ROWS = 2_000
#: The keys in one note have about so many bytes: a changelog takes records of a megabyte.
NOTE_BYTES = 256 * 1024

#: Numbers that follow one another lie far apart by it.
_GOLDEN = 0.618034

_encode = msgspec.json.Encoder().encode

#: Reads rows of the state: for each key its value, None when there is none.
_Read = Callable[[list[bytes]], list[bytes | None]]


class _Note(msgspec.Struct):
    """`rows`: keys of rows, as the report topic has them: JSON themselves."""

    rows: list[msgspec.Raw]
    format: int = 1


_note = msgspec.json.Decoder(_Note).decode


def after(stage: str, number: int) -> float:
    """Seconds from the first change until a partition tells with the next batch."""
    return LEAST_S + SPREAD_S * ((number * _GOLDEN + (0.5 if stage == "user" else 0.0)) % 1)


class Untold:
    """What is untold of one partition of a stage. `topic`: the report topic; `writer`: the workers' id.

    Like `Holds` it is ahead of what is committed: after a batch whose output could not be its partition is recovered.
    """

    def __init__(self, topic: str, stage: Literal["device", "user"], number: int, writer: str | None) -> None:
        self.topic = topic
        self._stage: Literal["device", "user"] = stage
        self._writer = writer
        self._after = after(stage, number)
        #: Keys of rows of the state.
        self._rows: dict[bytes, None] = {}
        self._notes = 0
        #: When the first of them was changed (seconds).
        self._since = float("-inf")

    def load(self, notes: Iterable[tuple[bytes, bytes]]) -> None:
        """What the partition had not told when it was last written: it is due at once."""
        for _, value in notes:
            self._notes += 1
            self._rows.update((COUNT_PREFIX + bytes(key), None) for key in _note(value).rows)

    @property
    def stands(self) -> bool:
        """Whether the mark stands: something may be untold."""
        return self._notes > 0

    def due(self, now: float) -> bool:
        """Whether it is to be told with the next batch. `now`: seconds, of the clock that `take` is told of."""
        return self.stands and (now >= self._since + self._after or len(self._rows) >= MOST_ROWS)

    def overdue(self, now: float) -> bool:
        """Whether it is to be told although there is no batch."""
        return self.stands and now >= self._since + self._after + ALONE_S

    def take(self, output: Output, read: _Read, now: float, at: int) -> None:
        """Add to what a batch writes what it leaves untold, or when that is due all that is untold. `at`: now, as it is
        written (milliseconds).
        """
        grown = [key for key in output.counted if key not in self._rows]
        self._rows.update(dict.fromkeys(grown))
        if not self.due(now):
            if grown:
                self._note(output, grown, now, at)
            return
        self.tell(output, read)
        if output.counted:
            # Where batches count, the next one will too: the mark stays, for what comes behind it.
            self._note(output, [], now, at)

    def tell(self, output: Output, read: _Read) -> None:
        """Add all rows that are untold, and take the mark away. That is last: who has read it has read them."""
        missing = [key for key in self._rows if key not in output.puts]
        found = dict(zip(missing, read(missing), strict=True))
        for key in self._rows:
            value = output.puts.get(key, found.get(key))
            if value is not None:
                name, row = told(key, value)
                output.told[name] = row
        output.puts.update((_named(number), None) for number in range(self._notes))
        output.told[self._mark(0).key()] = None
        self._rows.clear()
        self._notes = 0

    def _note(self, output: Output, grown: list[bytes], now: float, at: int) -> None:
        """Note these keys, and set the mark, if there is none."""
        if not self.stands:
            self._since = now
            mark = self._mark(at)
            output.told[mark.key()] = _encode(mark)
        for keys in _parts(grown):
            names = [msgspec.Raw(key[len(COUNT_PREFIX) :]) for key in keys]
            output.puts[_named(self._notes)] = _encode(_Note(names))
            self._notes += 1

    def _mark(self, at: int) -> UntoldMark:
        return UntoldMark(stage=self._stage, writer=self._writer, since=at)


def _named(number: int) -> bytes:
    return b"%b%d" % (NOTE_PREFIX, number)


def _parts(keys: list[bytes]) -> Iterator[list[bytes]]:
    """At least one, each no longer than a note may be."""
    part: list[bytes] = []
    size = 0
    for key in keys:
        if part and size + len(key) > NOTE_BYTES:
            yield part
            part, size = [], 0
        part.append(key)
        size += len(key)
    yield part
