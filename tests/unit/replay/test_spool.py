"""What does not stay in memory during a replay."""

from __future__ import annotations

from pathlib import Path

from streams.engine.store import StoreMemory
from streams.replay.run import Told
from streams.replay.spool import SpilledRows, Spool


def test_what_is_told_comes_back_by_partition_and_in_its_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    told = [
        Told(5, 10, 1, 0, b"k", b"value"),
        Told(6, 10, 2, 1, None, b""),
        Told(7, 10, 3, 0, b"", b"x" * 100_000),
        Told(7, 2, 1, 0, "ä".encode(), b"\x00\n"),
    ]
    spool.add(10, told[:2])
    spool.add(2, told[3:])
    spool.add(10, told[2:3])
    assert [list(one) for one in spool.told(0)] == [[told[3]], [told[0], told[2]]]
    assert [list(one) for one in spool.told(1)] == [[told[1]]]
    assert spool.told(2) == []


def test_many_rows_go_to_the_disk_and_say_the_same(tmp_path: Path) -> None:
    rows = SpilledRows(tmp_path / "rows", StoreMemory(), in_memory=10)
    try:
        assert rows.read([b"a"]) == [None]
        for number in range(30):
            rows.write({b"k%d" % number: b"%d" % number, b"gone": b"x"})
            rows.write({b"gone": None})
            assert rows.read([b"k0", b"k%d" % number, b"gone", b"never"]) == [b"0", b"%d" % number, None, None]
            assert (tmp_path / "rows").exists() == (number >= 9)
        rows.write({})
    finally:
        rows.close()
