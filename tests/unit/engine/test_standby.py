"""Which partitions are copied here, what of their changelogs is written, and who gets them when their owner dies."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.assignor.client_assignment import CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor

from schemas.config import Source
from streams.engine.changelog import BARRIER_KEY
from streams.engine.copies import by_partition, standby_units
from streams.engine.stages import Stage, Unit
from streams.engine.standby import Copy
from streams.engine.store import TOMBSTONES_KEPT_MS, Applied, Store, StoreMemory

NOW = 1_800_000_000_000
UNIT = Unit("device", 2)
NO_PROCESSOR = cast(Any, None)
STAGES = (
    Stage(
        "device",
        (Source(topic="installs", record="install"), Source(topic="events", record="event")),
        4,
        "d",
        NO_PROCESSOR,
    ),
    Stage("user", (Source(topic="users", record="event"),), 2, "u", NO_PROCESSOR, internal=True),
)


class Record(SimpleNamespace):
    """What librdkafka hands on."""

    def __init__(self, offset: int, key: bytes, value: bytes | None, partition: int = 2) -> None:
        super().__init__()
        self.of = (offset, key, value, partition)

    def offset(self) -> int:
        return self.of[0]

    def key(self) -> bytes:
        return self.of[1]

    def value(self) -> bytes | None:
        return self.of[2]

    def partition(self) -> int:
        return self.of[3]

    def error(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, NOW


def copy(folder: Path, now: int = NOW) -> tuple[Copy, Store]:
    store = Store(folder / "store", StoreMemory())
    return Copy(UNIT, store, now), store


def records(*given: tuple[int, bytes, bytes | None]) -> Any:
    return [Record(*one) for one in given]


def test_a_partition_that_is_active_here_is_never_copied_here() -> None:
    active = [("installs", 0), ("events", 0), ("users", 1)]
    standby = [("installs", 0), ("events", 3), ("installs", 3), ("users", 0), ("users", 1), ("other", 2)]
    assert standby_units(STAGES, active, standby) == {Unit("device", 3), Unit("user", 0)}


def test_records_are_told_apart_by_partition_in_their_order() -> None:
    found = by_partition([Record(1, b"a", None, 0), Record(7, b"b", None, 3), Record(2, b"c", None, 0)])
    assert {number: [one.offset() for one in group] for number, group in found.items()} == {0: [1, 2], 3: [7]}


def test_a_copy_has_the_newest_rows_and_knows_how_far_it_reaches(tmp_path: Path) -> None:
    made, store = copy(tmp_path)
    assert made.next is None
    made.apply(records((3, b"da", b"1"), (4, b"da", b"2"), (5, b"db", b"3"), (6, BARRIER_KEY, b"x"), (9, b"db", None)))
    made.close()
    again, store = copy(tmp_path)
    assert (again.next, store.applied()) == (10, Applied(10, NOW))
    assert store.read([b"da", b"db", BARRIER_KEY]) == [b"2", None, None]
    again.close()


def test_what_was_read_before_is_not_written_over_what_is_newer(tmp_path: Path) -> None:
    made, store = copy(tmp_path)
    made.apply(records((8, b"da", b"new")))
    made.apply(records((7, b"da", b"old"), (9, b"db", b"1")))
    assert (store.read([b"da", b"db"]), made.next) == ([b"new", b"1"], 10)
    made.apply(records((3, b"da", b"old")))
    assert (store.read([b"da"]), made.next) == ([b"new"], 10)
    made.close()


@pytest.mark.parametrize(("age", "kept"), [(TOMBSTONES_KEPT_MS // 2, True), (TOMBSTONES_KEPT_MS // 2 + 1, False)])
def test_one_that_missed_deletions_is_begun_anew(tmp_path: Path, age: int, kept: bool) -> None:
    made, _ = copy(tmp_path)
    made.apply(records((8, b"da", b"1")))
    made.close()
    again, store = copy(tmp_path, NOW + age)
    assert (again.next, store.read([b"da"])) == ((9, [b"1"]) if kept else (None, [None]))
    again.close()


def assign(members: dict[str, CopartitionedAssignment], partitions: int) -> dict[str, CopartitionedAssignment]:
    """As Faust's assignor does, with one standby."""
    return dict(CopartitionedAssignor({"events"}, dict(members), partitions, 1).get_assignment())


def come_and_go(seed: int) -> tuple[int, int]:
    """Workers join and die. Of the partitions whose owners died: how many went to their standby, and how many not."""
    dice = random.Random(seed)
    partitions, joined = dice.choice((2, 4, 8, 16)), 0
    members: dict[str, CopartitionedAssignment] = {}
    promoted = cold = 0
    for _ in range(10):
        if len(members) < 2 or (dice.random() < 0.5 and len(members) < 6):
            members[f"worker-{joined}"] = CopartitionedAssignment(topics={"events"})
            joined += 1
        else:
            members.pop(dice.choice(list(members)))
        before = {name: (set(one.actives), set(one.standbys)) for name, one in members.items()}
        owned = set[int]().union(*(actives for actives, _ in before.values()))
        members = assign(members, partitions)
        for number in range(partitions):
            (owner,) = (name for name, one in members.items() if number in one.actives)
            copies = [name for name, one in members.items() if number in one.standbys]
            assert len(copies) == min(1, len(members) - 1)
            assert owner not in copies
            if number not in owned:
                promoted += number in before[owner][1]
                cold += number not in before[owner][1]
        cold -= partitions if joined == len(members) == 1 else 0  # nobody had any
    return promoted, cold


def test_fausts_assignor_gives_each_partition_a_copy_elsewhere_and_promotes_it() -> None:
    """Most of the time: one whose standby has its share already goes to a worker that must read it."""
    found = [come_and_go(seed) for seed in range(200)]
    assert sum(promoted for promoted, _ in found) > 3 * sum(cold for _, cold in found)
