"""The last so many of what is spread over partitions, without reading all of them: how far back to read. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

Place = TypeVar("Place", bound=Hashable)

#: So many times as many records are read of a partition whenever it was too few.
GROWTH = 4
#: At first so many at least: a fetch of fewer takes as long.
LEAST = 200


class Window(NamedTuple):
    """What was read of a partition: from `first` on. `begin`: its oldest offset; `oldest`: the earliest time that was
    read; `fitting`: the times of those that are asked for.
    """

    begin: int
    first: int
    end: int
    oldest: int | None = None
    fitting: tuple[int, ...] = ()


def firsts(windows: Mapping[Place, Window], wanted: int) -> dict[Place, int]:
    """From which offset on each partition must be read too, to find the last `wanted`; empty when they are found."""
    found = sorted((at for window in windows.values() for at in window.fitting), reverse=True)
    # Earlier than this none of them is: a partition that was read so far back hides none.
    cut = found[wanted - 1] if len(found) >= wanted else None
    return {
        place: max(window.begin, window.end - max(GROWTH * (window.end - window.first), 2 * wanted, LEAST))
        for place, window in windows.items()
        if window.first > window.begin and (cut is None or window.oldest is None or window.oldest > cut)
    }
