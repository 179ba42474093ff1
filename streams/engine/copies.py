"""Which partitions this process keeps a warm copy of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from streams.engine.stages import Input, Stage, Unit


class Placed(Protocol):
    """What is told apart by its partition."""

    def partition(self) -> int | None: ...


P = TypeVar("P", bound=Placed)


def standby_units(stages: Iterable[Stage], active: Collection[Input], standby: Collection[Input]) -> set[Unit]:
    """Of the inputs that Faust's assignor has put on standby here: their partitions, but never one that is active here,
    for its folder is in use.
    """
    units = set()
    for stage in stages:
        own = set(stage.assigned(active))
        units |= {Unit(stage.name, number) for number in stage.assigned(standby) if number not in own}
    return units


def by_partition(records: Sequence[P]) -> dict[int, list[P]]:
    """The records of each partition, in their order; those of none are left out."""
    found: dict[int, list[P]] = {}
    for record in records:
        number = record.partition()
        if number is not None and number >= 0:
            found.setdefault(number, []).append(record)
    return found
