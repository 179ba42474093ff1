"""The state of one partition on disk: a RocksDB that is never ahead of its changelog.

Rows are what the changelog holds (states, index of holds, marker) under the same keys, plus one row of our own that
is in no changelog: how far the changelog has been applied. It is written in the same atomic batch as the rows it
speaks of.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams import kafka
from streams.errors import Stop

#: The engine's own rows begin with this; the pipeline's never do.
OWN_PREFIX = b"m"
#: How far the changelog has been applied: in the store only.
APPLIED_ROW = b"m:applied"
FORMAT = 1

#: Deleted rows are remembered by the changelog for so long; a store that has been away for longer is built anew.
TOMBSTONES_KEPT_MS = 7 * kafka.DAY_MS

MIB = 1 << 20
MEMTABLE_BYTES = 16 * MIB
LOCK_WAIT_S = 30.0


class Applied(NamedTuple):
    """The changelog has been applied up to, not including, `offset`; `appended`: the append time of what came last."""

    offset: int
    appended: int


class StoreMemory:
    """The memory that the stores of one process share: block cache and write buffers, whatever the number of
    partitions. In bytes.
    """

    def __init__(self, cache: int = 128 * MIB, buffers: int = 128 * MIB) -> None:
        self.cache = Cache(cache)
        self.buffers = WriteBufferManager(buffers, False)


class Store:
    """One partition's rows. All methods but `read` may take milliseconds: call them off the event loop. One user at a
    time.
    """

    def __init__(self, path: Path, memory: StoreMemory) -> None:
        self.path = path
        self._memory = memory
        self._db: Rdict | None = None
        #: Something was written that is neither in the write-ahead log nor flushed.
        self._unlogged = False

    def open(self) -> None:
        """Open or create it. Waits for another process that is closing it; raises `Stop` when that does not end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                self._db = Rdict(str(self.path), options=self._options(), access_type=AccessType.read_write())
                return
            except Exception as error:  # rocksdict raises bare exceptions
                if "lock" not in str(error).lower():
                    raise _unusable(self.path, error) from error
                if time.monotonic() > deadline:
                    raise Stop(
                        f"the state in {self.path} is locked by another process",
                        "give each worker process its own directory (RINGBACK_STATE_DIR)",
                    ) from error
            time.sleep(0.1)

    def close(self) -> None:
        """Close it; it may be opened again. A rebalance and the end of the process may both call this."""
        db, self._db = self._db, None
        if db is not None:
            self._unlogged = False  # closing flushes
            db.close()

    def wipe(self) -> None:
        """Remove everything and start with nothing. Raises `Stop` when something cannot be removed."""
        self.close()
        try:
            shutil.rmtree(self.path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _unusable(self.path, error) from error
        self.open()

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        """The rows of these keys, None where there is none."""
        return cast(list[bytes | None], self._open().get(cast(Any, keys))) if keys else []

    def rows(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The rows whose keys begin with `prefix`, in order, from `start` on. They push nothing out of the cache."""
        found = self._open().items(from_key=start or prefix, read_opt=_passing())
        for key, value in cast(Iterator[tuple[bytes, bytes]], found):
            if not key.startswith(prefix):
                return
            yield key, value

    def size(self) -> tuple[int, int]:
        """How many rows there are and how many bytes they have, as RocksDB estimates it."""
        db = self._open()
        return tuple(db.property_int_value(f"rocksdb.{name}") or 0 for name in _SIZES)  # type: ignore[return-value]

    def applied(self) -> Applied | None:
        """How far the changelog has been applied; None for a new store."""
        row = self._open().get(APPLIED_ROW)
        return None if row is None else Applied(*msgspec.json.decode(row)["applied"])

    def write(
        self,
        rows: Mapping[bytes, bytes | None] | Iterable[tuple[bytes, bytes | None]],
        applied: Applied,
        *,
        logged: bool = True,
    ) -> None:
        """Apply rows (None deletes) and note how far the changelog is applied with them, all or nothing.

        Not `logged`, for rows that can be read from the changelog again: it costs half, and a process that dies loses
        the newest of them, down to some earlier `applied`. Raises `Stop` when the disk refuses: then nothing was
        applied.
        """
        if logged and self._unlogged:
            # A log that is replayed over a gap would make a state that never was.
            self.flush()
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items() if isinstance(rows, Mapping) else rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(APPLIED_ROW, msgspec.json.encode({"format": FORMAT, "applied": applied}))
        try:
            if logged:
                self._open().write(batch)
            else:
                self._unlogged = True
                self._open().write(batch, write_opt=_unlogged())
        except Exception as error:  # rocksdict raises bare exceptions
            raise _unusable(self.path, error) from error

    def flush(self) -> None:
        """Put what is not logged on disk. Raises `Stop` when the disk refuses."""
        if not self._unlogged:
            return
        try:
            self._open().flush()
        except Exception as error:  # rocksdict raises bare exceptions
            raise _unusable(self.path, error) from error
        self._unlogged = False

    def _open(self) -> Rdict:
        if self._db is None:
            raise RuntimeError(f"the store {self.path} is not open")
        return self._db

    def _options(self) -> Any:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        table = BlockBasedOptions()
        table.set_block_cache(self._memory.cache)
        table.set_bloom_filter(10, False)
        table.set_cache_index_and_filter_blocks(True)
        options.set_block_based_table_factory(table)
        options.set_write_buffer_manager(self._memory.buffers)
        options.set_write_buffer_size(MEMTABLE_BYTES)
        options.set_max_write_buffer_number(2)
        options.set_max_total_wal_size(4 * MEMTABLE_BYTES)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_max_open_files(256)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(4 * MIB)
        return options


_SIZES = ("estimate-num-keys", "estimate-live-data-size")


def _passing() -> ReadOptions:
    options = ReadOptions()
    cast(Any, options).fill_cache(False)
    return options


def _unlogged() -> WriteOptions:
    options = WriteOptions()
    cast(Any, options).disable_wal = True  # the stub says that it is a method
    return options


def _unusable(path: Path, error: Exception) -> Stop:
    text = str(error)
    remedy = (
        "free space on its disk and start again"
        if "space" in text.lower()
        else "look at the disk, or remove the directory: the state is recovered from the changelog"
    )
    return Stop(f"the state in {path} cannot be used: {text}", f"{remedy}; nothing of the batch was acknowledged")
