"""What is made of many measurements: percentiles, medians, ratios. Pure."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

#: What is told of a latency, as shares of the records.
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ordered values that at least this share of them does not exceed (nearest rank).

    Raises ValueError when there are none.
    """
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """The percentiles of `SHARES`, by name."""
    ordered = sorted(values)
    return {name: percentile(ordered, share) for name, share in SHARES.items()}


def medians(rounds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each contestant's rounds; those without a round are left out."""
    return {name: statistics.median(values) for name, values in rounds.items() if values}


def ratios(of: Mapping[str, float], to: str) -> dict[str, float]:
    """How many times each one's figure `to`'s is. Empty without `to`."""
    if to not in of:
        return {}
    return {name: of[to] / value for name, value in of.items() if value}


def rate(ordered: Sequence[float], begin: float = 0.0, end: float = 1.0) -> float:
    """Per unit of time, between two shares of all: how many came after the first of these moments, up to the last.

    What came at the very first moment took its time before, so it does not count. Raises ValueError when nothing did
    come later.
    """
    first, last = ordered[int(begin * (len(ordered) - 1))], ordered[int(end * (len(ordered) - 1))]
    if last <= first:
        raise ValueError("all at one moment")
    return (bisect.bisect_right(ordered, last) - bisect.bisect_right(ordered, first)) / (last - first)


def used(samples: Sequence[tuple[float, float]], begin: float, end: float) -> float | None:
    """Of samples (progress, used so far): what was used for each unit of progress, from the first sample that is past
    `begin` to the first that has reached `end`. None when there are not two.
    """
    first = next((one for one in samples if one[0] > begin), None)
    last = next((one for one in samples if one[0] >= end), samples[-1] if samples else None)
    if first is None or last is None or last[0] <= first[0]:
        return None
    return (last[1] - first[1]) / (last[0] - first[0])


def spread(values: Sequence[float]) -> float:
    """How far apart the rounds lie: (largest - smallest) / median; 0 of a single one."""
    return (max(values) - min(values)) / statistics.median(values)
