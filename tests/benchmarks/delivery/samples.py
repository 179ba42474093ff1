"""What the target saw, in columns of numbers: a million requests take some 15 MiB, and are written in an instant."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """One request."""

    at: float
    lane: int
    number: int
    status: int


class Samples:
    """Requests in the order of their arrival."""

    def __init__(self) -> None:
        self._columns: tuple[array[float], array[int], array[int], array[int]] = (
            array("d"),
            array("H"),
            array("I"),
            array("H"),
        )

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[Sample]:
        return map(Sample._make, zip(*self._columns, strict=True))

    def add(self, at: float, lane: int, number: int, status: int) -> None:
        """One more."""
        times, lanes, numbers, statuses = self._columns
        times.append(at)
        lanes.append(lane)
        numbers.append(number)
        statuses.append(status)

    def write(self, path: Path) -> None:
        """Write all of them to a file, which is there as a whole or not at all."""
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            array("Q", [len(self)]).tofile(file)
            for column in self._columns:
                column.tofile(file)
        new.replace(path)

    @classmethod
    def read(cls, path: Path) -> Samples:
        """What `write` wrote."""
        found = cls()
        with path.open("rb") as file:
            count = array("Q")
            count.fromfile(file, 1)
            for column in found._columns:
                column.fromfile(file, count[0])
        return found
