"""Ringback's sender as the benchmarks need it where the command has no setting for that: `python -m
tests.benchmarks.delivery.sender --scale 20 --quiet`.

`--scale`: its own times (delay topics, backoff, breaker) are so many times shorter. `--quiet`: it writes no receipts
and counts nothing for reports: what remains is reading, sending, and committing offsets.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from schemas.job import Job
from streams import logs, settings
from streams.delivery import app, retry
from streams.delivery.lanes import LaneLimits
from streams.delivery.outcome import Outcome
from streams.delivery.sender import Limits
from streams.delivery.settling import Settlement, Settling, Source
from streams.delivery.tiers import Tiers


def scaled(scale: int) -> Limits:
    """What a sender is built with by default, every time so many times shorter."""
    usual = Limits()
    breaker = usual.lane.breaker
    return usual._replace(
        tiers=Tiers(usual.tiers.base // scale, usual.tiers.count),
        backoff=_shorter(usual.backoff, scale, ("first", "cap", "least")),
        lane=LaneLimits(usual.lane.soon // scale, _shorter(breaker, scale, ("window", "first_pause", "longest_pause"))),
    )


def _shorter(limits: Any, scale: int, times: tuple[str, ...]) -> Any:
    return replace(limits, **{name: getattr(limits, name) // scale for name in times})


class Quiet(Settling):
    """Writes nothing about a job that was delivered."""

    def ruled(self, job: Job, source: Source, outcome: Outcome, verdict: retry.Verdict, now: int) -> Settlement:
        """See `Settling`."""
        if isinstance(verdict, retry.Delivered):
            return Settlement((), attempt="delivered", terminal="delivered")
        return super().ruled(job, source, outcome, verdict, now)


def main() -> int:
    """Deliver until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--quiet", action="store_true")
    arguments = parser.parse_args()
    given = settings.load()
    logs.setup(given.log_level, given.log_format)
    if arguments.quiet:
        vars(app)["Settling"] = Quiet
    return app.run_sender(given, scaled(arguments.scale))


if __name__ == "__main__":
    sys.exit(main())
