"""The demo's partner as a process: every network of the sample configuration, answering as `streams.demo.answers`
says. `python -m streams.demo.partner --port 0 --log FILE` prints its address first.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from streams.demo.answers import answer
from streams.local.exchange import Answer, Request
from streams.local.partner import Partner, until_ended

#: A request without a job id is nobody's postback.
NO_POSTBACK = Answer(status=400, body=b"no Idempotency-Key\n")


class Answering:
    """Counts the attempts of each job, and answers by their number. Its memory grows with the number of jobs."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    def __call__(self, request: Request) -> Answer:
        job_id = request.job_id
        if not job_id:
            return NO_POSTBACK
        self.attempts[job_id] += 1
        return answer(job_id, self.attempts[job_id], request.path)


async def serve(port: int, log: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; returns the number of requests."""
    partner = Partner(port=port, log=log, keep=False)
    partner.default = Answering()
    return await until_ended(partner)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the partner in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m streams.demo.partner", description="The partner of the demo.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    parser.add_argument(
        "--log", type=Path, help="a file that gets a line for each request: job id, tab, path and query"
    )
    options = parser.parse_args(arguments)
    print(asyncio.run(serve(options.port, options.log)), "requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
