"""How the memory that the settings give is shared out. Pure arithmetic, in bytes.

Whatever the backlog, a worker holds at most: blocks and memtables of its stores (`store_cache`, `store_buffers`), input
that was fetched (`fetch_buffers`), what its writer has not been rid of (`producer_buffers`), and while it recovers
what its consumers have read ahead. Each share has a least size, below which nothing would move; so with very many
partitions in one process the sum may be larger than the setting.
"""

from __future__ import annotations

from streams.engine.merge import Limits
from streams.settings import Settings

KIB, MIB = 1 << 10, 1 << 20

#: A fetch of one partition at most, and at least: whatever its limit, a broker answers with one whole batch.
FETCH = (64 * KIB, MIB)
#: What one source may have waiting in one partition.
WAITING = (256 * KIB, 4_000_000)
#: The writer must take the largest record there may be (8 MB).
PRODUCER = 10 * MIB
#: A record that waits is an object with its key, about so many bytes more than the merge counts for it: these come
#: out of the same memory.
OVERHEAD = 2


def partition_fetch(settings: Settings, inputs: int) -> int:
    """`max.partition.fetch.bytes` for so many input partitions: a third of the memory, for they are compressed."""
    return _share(settings.fetch_buffers // 3, inputs, FETCH)


def waiting(settings: Settings, inputs: int) -> Limits:
    """What the merge may hold back of each of so many input partitions."""
    size = _share(settings.fetch_buffers * 2 // 3 // OVERHEAD, inputs, WAITING)
    return Limits(records=2 * settings.batch_records, size=size)


def producer(settings: Settings) -> int:
    """What the writer may have on its way."""
    return max(PRODUCER, settings.producer_buffers)


def _share(total: int, among: int, bounds: tuple[int, int]) -> int:
    least, most = bounds
    return max(least, min(most, total // max(1, among)))
