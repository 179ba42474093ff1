"""The steps of the sender at which a test may let it die (see `streams.faults`): those of a request, and those of the
transaction that settles it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streams import faults
from streams.templates.finish import Finished

from .outcome import Outcome
from .wire import Sending, Wire

REQUEST = "request"
COMMIT = "commit"
#: Before the request, in flight, and when its answer is known and nothing of it is written.
REQUEST_STEPS = ("sending", "flying", "answered")
#: When a transaction is open and empty; with its records, as far as they went; with the positions too; and committed,
#: which nobody in the process knows yet.
COMMIT_STEPS = ("begun", "produced", "positioned", "committed")
#: Every step there is, in the order of a job's way.
STEPS = (*REQUEST_STEPS, *COMMIT_STEPS)

#: A request is in flight when so many seconds have gone by without its end.
FLYING_SECONDS = 0.01


class FaultPoints(faults.Points):
    """The sender's."""

    def __init__(self, wanted: str = "") -> None:
        super().__init__(STEPS, wanted)

    @classmethod
    def from_environment(cls) -> FaultPoints:
        """What the test asked for; nothing outside of tests."""
        return cls(faults.wanted())

    def around(self, wire: Wire) -> Wire:
        """The wire with its steps, when one of them was asked for."""
        return Mortal(wire, self) if self.step in REQUEST_STEPS else wire


class Mortal:
    """A wire on which the process may die."""

    def __init__(self, wire: Wire, points: FaultPoints) -> None:
        self._wire, self._points = wire, points

    def begin(self, request: Finished, timeout_ms: int, over: Callable[[Outcome], None]) -> Sending | None:
        """See `Wire`."""
        self._points.reached(REQUEST, "sending")
        flying = asyncio.get_running_loop().call_later(FLYING_SECONDS, self._points.reached, REQUEST, "flying")

        def ended(outcome: Outcome) -> None:
            flying.cancel()
            if outcome.kind == "answer":
                self._points.reached(REQUEST, "answered")
            over(outcome)

        return self._wire.begin(request, timeout_ms, ended)

    async def close(self) -> None:
        """See `Wire`."""
        await self._wire.close()
