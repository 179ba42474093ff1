"""What does not stay in memory during a replay: states, when there are many, and what the user stage is told."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from streams.engine.store import Applied, Store, StoreMemory
from streams.replay.run import Memory, Told

#: So many rows stay in memory; about as many kilobytes, and less.
IN_MEMORY = 300_000
BUFFER_BYTES = 1 << 16

_HEAD = struct.Struct("<qqiI")
_NO_KEY = -1


class SpilledRows:
    """Rows of a partition: in memory while they are few, then in a store on disk. Remove `folder` at the end."""

    def __init__(self, folder: Path, memory: StoreMemory, in_memory: int | None = None) -> None:
        self._folder, self._memory = folder, memory
        self._in_memory = IN_MEMORY if in_memory is None else in_memory
        self._few: Memory | None = Memory()
        self._many: Store | None = None

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The rows of these keys, None where there is none."""
        if self._few is not None:
            return self._few.read(keys)
        return self._many.read(keys) if self._many is not None else [None] * len(keys)

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Put rows; None deletes. May block for milliseconds."""
        if self._few is not None:
            self._few.write(rows)
            if len(self._few) > self._in_memory:
                self._spill(self._few)
        elif self._many is not None and rows:
            self._many.write(rows, Applied(0, 0))

    def _spill(self, few: Memory) -> None:
        self._many = Store(self._folder, self._memory)
        self._many.open()
        self._many.write(few.rows(), Applied(0, 0))
        self._few = None

    def close(self) -> None:
        """Let go of the store."""
        if self._many is not None:
            self._many.close()


class Spool:
    """What the input partitions tell each partition of the user stage, in files of `folder`, which must exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, number: int, told: Iterable[Told]) -> None:
        """What input partition `number` tells next."""
        by_partition: dict[int, list[bytes]] = {}
        for one in told:
            key = b"" if one.key is None else one.key
            head = _HEAD.pack(one.appended, one.nth, _NO_KEY if one.key is None else len(key), len(one.value))
            by_partition.setdefault(one.partition, []).append(head + key + one.value)
        for partition, frames in by_partition.items():
            with self._file(partition, number).open("ab") as file:
                file.write(b"".join(frames))

    def told(self, partition: int) -> list[Iterator[Told]]:
        """What each input partition has told this partition of the user stage."""
        files = sorted(self._folder.glob(f"{partition}-*"), key=lambda file: int(file.name.partition("-")[2]))
        return [self._read(file, partition, int(file.name.partition("-")[2])) for file in files]

    def _file(self, partition: int, number: int) -> Path:
        return self._folder / f"{partition}-{number}"

    @staticmethod
    def _read(file: Path, partition: int, number: int) -> Iterator[Told]:
        with file.open("rb", buffering=BUFFER_BYTES) as frames:
            while head := frames.read(_HEAD.size):
                appended, nth, key_size, size = _HEAD.unpack(head)
                key = None if key_size == _NO_KEY else frames.read(key_size)
                yield Told(appended, number, nth, partition, key, frames.read(size))
