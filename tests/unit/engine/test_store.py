"""The state of a partition on disk."""

from __future__ import annotations

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
