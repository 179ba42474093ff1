"""A sender of the run: the very one of `ringback sender`, but its time goes faster, and it keeps a gauge. `python -m
streams.torture.delivery.sender` with the settings of its environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from schemas.config import SECOND
from streams import logs, settings
from streams.delivery.app import Service, serve
from streams.delivery.breaker import BreakerLimits
from streams.delivery.egress import Guard
from streams.delivery.lanes import LaneLimits
from streams.delivery.retry import Backoff
from streams.delivery.sender import Limits
from streams.delivery.tiers import Tiers
from streams.delivery.wire import HttpWire, Wire
from streams.torture.delivery.gauge import VARIABLE, Gauge, Watched

#: Redeliveries after 1 to 15 s and not 30 s to 1 h, delay topics of 0.5 s and more, not 8 s. The breaker bears the
#: partner that fails half the time, as it would with that one's jobs alone in minutes.
LIMITS = Limits(
    tiers=Tiers(base=SECOND // 2),
    backoff=Backoff(first=SECOND, cap=15 * SECOND, least=SECOND // 2),
    lane=LaneLimits(
        soon=SECOND // 2,
        breaker=BreakerLimits(
            window=10 * SECOND, least=100, share=0.7, first_pause=SECOND, longest_pause=8 * SECOND, probes=3
        ),
    ),
)


async def _serving(given: settings.Settings) -> int:
    wire: Wire = HttpWire(Guard(given.egress_allow))
    if VARIABLE not in os.environ:
        return await serve(Service(given, LIMITS, wire))
    gauge = Gauge(Path(os.environ[VARIABLE]))
    service = Service(given, LIMITS, Watched(wire, gauge))
    service.faults = gauge
    return await serve(service)


def main() -> int:
    """Deliver until SIGTERM; the exit status."""
    given = settings.load()
    logs.setup(given.log_level, given.log_format)
    return asyncio.run(_serving(given))


if __name__ == "__main__":
    sys.exit(main())
