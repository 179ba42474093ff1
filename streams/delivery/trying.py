"""One request, sent as the sender sends all of them, for somebody who wants to see what comes back."""

from __future__ import annotations

from streams.templates.finish import Finished

from .egress import Guard
from .outcome import Outcome
from .wire import HttpWire


async def send_once(guard: Guard, request: Finished, timeout_ms: int) -> Outcome:
    """Send `request` and wait for what comes of it, the answer's headers included. Nothing is written anywhere."""
    wire = HttpWire(guard, headers=True)
    try:
        return await wire.send(request, timeout_ms)
    finally:
        await wire.close()
