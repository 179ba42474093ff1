"""What a demo is told."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """`seconds` and `rate` (records a second) of the simulator, the `seed` of its records, and whether everything is
    left running at the end. `began`: when the command did, in monotonic seconds.
    """

    seconds: int
    rate: int
    seed: int
    keep: bool
    began: float
