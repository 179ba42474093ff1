"""The devices of one partition whose records wait for an install (contract §4, *Hold*), by the append time they wait
for.

An in-memory heap over the index rows that lie beside the states in RocksDB and in the changelog: a row's key is `h` +
due (8 bytes, big-endian) + device key, its value the number of records held, in decimal.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

HOLD_PREFIX = b"h"
DEVICE_PREFIX = b"d"


def device_row(device_key: str) -> bytes:
    """The key of a device's state row."""
    return DEVICE_PREFIX + device_key.encode("utf-8", "surrogatepass")


def hold_row(due: int, device_key: str) -> bytes:
    """The key of a device's row in the index of holds. `due`: append time in milliseconds."""
    return HOLD_PREFIX + due.to_bytes(8, "big") + device_key.encode("utf-8", "surrogatepass")


class Holds:
    """What is held in one partition. A device is due when progress has passed its due time."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[int, int]] = {}
        self._heap: list[tuple[int, str]] = []
        self.records = 0

    @classmethod
    def load(cls, rows: Iterable[tuple[bytes, bytes]]) -> Holds:
        """From the index rows (key, value) of a partition, in any order."""
        holds = cls()
        for key, value in rows:
            due = int.from_bytes(key[1:9], "big")
            holds.put(key[9:].decode("utf-8", "surrogatepass"), due, int(value))
        return holds

    def __len__(self) -> int:
        return len(self._due)

    def put(self, device_key: str, due: int, records: int) -> None:
        """The device holds `records` records, due when progress has passed `due`; replaces what was known of
        it.
        """
        before = self._due.get(device_key)
        self._due[device_key] = (due, records)
        self.records += records - (before[1] if before else 0)
        if before is None or before[0] != due:
            heapq.heappush(self._heap, (due, device_key))

    def drop(self, device_key: str) -> None:
        """The device holds nothing any more."""
        if before := self._due.pop(device_key, None):
            self.records -= before[1]

    def due_of(self, device_key: str) -> int | None:
        """When the device is due, or None when it holds nothing."""
        known = self._due.get(device_key)
        return known[0] if known else None

    def records_of(self, device_key: str) -> int:
        """How many records the device holds."""
        known = self._due.get(device_key)
        return known[1] if known else 0

    def next_due(self) -> int | None:
        """The earliest due time, or None when nothing is held."""
        heap = self._heap
        while heap and self.due_of(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, progress: int) -> str | None:
        """The device that is due first, when `progress` has passed its time; it stays until `drop`."""
        due = self.next_due()
        return self._heap[0][1] if due is not None and due < progress else None
