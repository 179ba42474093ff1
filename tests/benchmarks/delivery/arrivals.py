"""What is made of what the target saw. Pure.

Times are seconds, waits milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from schemas.config import SECOND


def repeated(numbers: Iterable[int]) -> int:
    """How many came although they had come before."""
    return sum(count - 1 for count in Counter(numbers).values())


def waits(arrived: Mapping[int, float], due: Mapping[int, float]) -> list[float]:
    """Milliseconds from when a job was due to its arrival, of those that did arrive; negative ones came too early."""
    return [(at - due[number]) * SECOND for number, at in arrived.items() if number in due]


def per_window(times: Iterable[float], begin: float, end: float, width: float) -> list[float]:
    """How many a second came in each whole window between `begin` and `end`."""
    count = int((end - begin) / width + 1e-9)
    found = [0] * count
    for at in times:
        place = int((at - begin) // width)
        if 0 <= place < count:
            found[place] += 1
    return [one / width for one in found]


def most_within(times: Sequence[float], width: float) -> int:
    """The most that came within any time of this width; `times` in order."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > width:
            first += 1
        most = max(most, last - first + 1)
    return most


def error(rate: float, wanted: float) -> float:
    """How far a rate is from the wanted one, in %."""
    return (rate / wanted - 1) * 100


def hops(wait: float, base: float, count: int) -> int:
    """How often a job is written that waits so long, each time into the largest delay topic that is not longer than
    what is left of it; there are `count` of them, the shortest of `base`, each twice the one before.
    """
    written = 0
    longest = base * 2 ** (count - 1)
    whole = int(wait // longest)
    written, left = whole, wait - whole * longest
    while left >= base:
        delay = base
        while delay * 2 <= min(left, longest):
            delay *= 2
        written, left = written + 1, left - delay
    return written


def mean_hops(longest: float, base: float, count: int, steps: int = 10_000) -> float:
    """How often a job is written on average, when they wait for times spread evenly up to the longest one."""
    return sum(hops(longest * (step + 0.5) / steps, base, count) for step in range(steps)) / steps
