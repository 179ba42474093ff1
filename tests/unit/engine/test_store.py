"""The state of a partition on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.engine import store as module
from streams.engine.store import Applied, Store, StoreMemory
from streams.errors import Stop


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path / "state" / "0", StoreMemory())
    opened.open()
    return opened


def test_a_new_store_has_applied_nothing(store: Store):
    assert store.applied() is None
    assert store.read([b"da"]) == [None]
    assert store.read([]) == []


def test_rows_and_how_far_they_reach_are_written_together(store: Store):
    store.write({b"da": b"1", b"hx": b"2"}, Applied(5, 77))
    store.write({b"da": None, b"db": b"3"}, Applied(9, 99))
    assert store.applied() == Applied(9, 99)
    assert store.read([b"da", b"db", b"hx"]) == [None, b"3", b"2"]


def test_it_survives_closing_and_not_wiping(store: Store):
    store.write({b"da": b"1"}, Applied(5, 77))
    store.close()
    store.open()
    assert store.read([b"da"]) == [b"1"]
    store.wipe()
    assert store.applied() is None
    assert store.read([b"da"]) == [None]


def test_rows_are_listed_by_prefix_only(store: Store):
    store.write({b"da": b"1", b"h1": b"2", b"h2": b"3", b"m": b"4"}, Applied(1, 1))
    assert list(store.rows(b"h")) == [(b"h1", b"2"), (b"h2", b"3")]


def test_two_processes_cannot_share_a_directory(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0.0)
    with pytest.raises(Stop, match="locked by another process"):
        Store(store.path, StoreMemory()).open()


def test_two_that_close_it_at_once_close_it_once(tmp_path: Path) -> None:
    """A rebalance while the process ends."""
    store = Store(tmp_path / "store", StoreMemory())
    closed: list[int] = []

    class Database:
        def close(self) -> None:
            closed.append(1)
            if len(closed) < 3:
                store.close()

    store._db = Database()  # type: ignore[assignment]
    store.close()
    assert closed == [1]


def test_what_is_not_logged_is_there_after_it_was_closed(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", StoreMemory())
    store.open()
    store.write({b"da": b"1"}, Applied(5, 77), logged=False)
    store.close()
    store.open()
    assert (store.read([b"da"]), store.applied()) == ([b"1"], Applied(5, 77))


CRASH = """
import os, sys
from pathlib import Path
from streams.engine.store import Applied, Store, StoreMemory
store = Store(Path(sys.argv[1]), StoreMemory())
store.open()
store.write({b"da": b"1"}, Applied(1, 1))
store.write({b"db": b"2"}, Applied(2, 2), logged=False)
if sys.argv[2] == "then logged":
    store.write({b"dc": b"3"}, Applied(3, 3))
os._exit(0)
"""


@pytest.mark.parametrize(
    ("then", "rows", "applied"), [("", [b"1", None, None], 1), ("then logged", [b"1", b"2", b"3"], 3)]
)
def test_a_crash_leaves_a_state_that_once_was(
    tmp_path: Path, then: str, rows: list[bytes | None], applied: int
) -> None:
    """Rows that are not logged may be gone, but never from under what was logged after them."""
    subprocess.run([sys.executable, "-c", CRASH, str(tmp_path / "store"), then], check=True)
    store = Store(tmp_path / "store", StoreMemory())
    store.open()
    found = store.applied()
    assert (store.read([b"da", b"db", b"dc"]), found and found.offset) == (rows, applied)
