"""Sessions (contract §5): at most one launch in each 24-hour period, none in the first, counted from the start of an
attribution.

Which start counts is the postback's affair: at `all` the first appearance, otherwise the latest attribution to its
partner. So every attribution of the device remembers which of its periods have had their session.
"""

from __future__ import annotations

from schemas.config import DAY

from .facts import Session
from .state import Attribution, Device


def launched(device: Device, at: int, oldest: int) -> tuple[Session, ...]:
    """Every attribution that had begun at `at`, the latest start first, and whether a launch then is a session counted
    from it; uses up the periods.

    No record before `oldest` can come any more: what was used before it is forgotten.
    """
    return tuple(
        [
            Session(attribution, _use_period(device, attribution, at, oldest))
            for attribution in reversed(device.attributions)
            if attribution.start <= at
        ]
    )


def _use_period(device: Device, attribution: Attribution, at: int, oldest: int) -> bool:
    period, used = (at - attribution.start) // DAY, attribution.sessions
    if not period or period in used:
        return False
    over = (oldest - attribution.start) // DAY
    if used and min(used) < over:
        device.forgotten = max(device.forgotten, oldest)
        used = [one for one in used if one >= over]
    attribution.sessions = [*used, period]
    return True
