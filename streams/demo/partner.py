"""The demo's partner as a process: every network of the sample configuration. It answers as `streams.demo.answers`
says, by the job and by the attempt that the request itself tells, so one that is repeated gets its answer again.

`python -m streams.demo.partner --port 0 --log FILE` prints its address first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs

from streams.demo.answers import answer
from streams.local.exchange import Answer, Request
from streams.local.partner import Partner, run, until_ended

#: A request without a job id is nobody's postback.
NO_POSTBACK = Answer(status=400, body=b"no Idempotency-Key\n")


#: The parameter of the address that tells the number of the attempt, from 1.
ATTEMPT = "attempt"
#: A request that does not tell is no first one, and spared what a partner does only once.
NOT_TOLD = 2


def answering(request: Request) -> Answer:
    """The answer to a request, the same whenever and however often it comes."""
    if not request.job_id:
        return NO_POSTBACK
    told = parse_qs(request.query).get(ATTEMPT, [""])[0]
    return answer(request.job_id, int(told) if told.isdecimal() else NOT_TOLD, request.path)


async def serve(port: int, log: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; returns the number of requests."""
    partner = Partner(port=port, log=log, keep=False)
    partner.default = answering
    return await until_ended(partner)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the partner in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m streams.demo.partner", description="The partner of the demo.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    parser.add_argument(
        "--log", type=Path, help="a file that gets a line for each request: job id, tab, path and query"
    )
    options = parser.parse_args(arguments)
    return run(serve(options.port, options.log))


if __name__ == "__main__":
    sys.exit(main())
