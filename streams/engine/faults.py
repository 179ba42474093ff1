"""The steps of the worker at which a test may let it die (see `streams.faults`)."""

from __future__ import annotations

from streams import faults

VARIABLE = faults.VARIABLE

#: Every step there is, in the order of the protocol (see `checkpoint`).
STEPS = ("decided", "begun", "produced", "committed", "stored", "acknowledged", "barrier", "recovering", "recovered")


class FaultPoints(faults.Points):
    """The worker's."""

    def __init__(self, wanted: str = "") -> None:
        super().__init__(STEPS, wanted)

    @classmethod
    def from_environment(cls) -> FaultPoints:
        """What the test asked for; nothing outside of tests."""
        return cls(faults.wanted())
