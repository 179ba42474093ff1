"""Letters in portions, each with the records that replay it and the note that says so. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.dead_letter import Note

from . import found
from .again import Record, Refused
from .found import Address, Found
from .pace import MOST_BYTES

#: So many refusals are told apart by their words, and of each so many by name; others only by their kind.
TEXTS, EXAMPLES = 20, 3


class Portion(NamedTuple):
    """What goes into one transaction: so many letters, or jobs without one."""

    size: int
    records: tuple[Record, ...]


@dataclass
class Refusals:
    """Letters, or jobs, that are not replayed: how many, by why, and a few of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, Refused]]] = field(default_factory=dict)

    def take(self, name: str, refused: Refused) -> None:
        """One more."""
        text = str(refused)
        key = text if text in self.counts or len(self.counts) < TEXTS else refused.word
        self.counts[key] += 1
        some = self.examples.setdefault(key, [])
        if len(some) < EXAMPLES:
            some.append((name, refused))

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


def portions(
    letters: Iterable[Found],
    most: int,
    written: Callable[[Found], Record | Refused | None],
    noted: Callable[[list[Address]], Iterable[Record]],
    refusals: Refusals,
) -> Iterator[Portion]:
    """Portions of at most so many letters. `written` says what a letter becomes (None: a note alone); those that are
    refused are left as they are.
    """
    records: list[Record] = []
    done: list[Address] = []
    size = 0
    for one in letters:
        record = written(one)
        if isinstance(record, Refused):
            refusals.take(str(one.address), record)
            continue
        if record is not None:
            records.append(record)
            size += len(record.value or b"")
        done.append(one.address)
        if len(done) >= most or size >= MOST_BYTES:
            yield Portion(len(done), (*records, *noted(done)))
            records, done, size = [], [], 0
    if done:
        yield Portion(len(done), (*records, *noted(done)))


def notes(
    topic: str, done: Literal["replayed", "purged"], addresses: Iterable[Address], at: int, by: str
) -> Iterator[Record]:
    """A note for each partition in which letters are done: behind them, so that they cannot be there without it."""
    offsets: dict[int, list[int]] = {}
    for address in addresses:
        offsets.setdefault(address.partition, []).append(address.offset)
    for partition, some in sorted(offsets.items()):
        made = Note(kind="note", done=done, offsets=found.runs(some), at=at, by=by)
        yield Record(topic, partition, None, found.encode(made))
