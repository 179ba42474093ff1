"""The twenty partners in one process: `python -m streams.torture.delivery.target --log FILE --seed N`.

For each request one line in the log: when it came (ms), partner, job id, attempt, and what was answered (`-`: nothing).
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from streams.local.exchange import CLOSE, HANG, OK, Answer, Request, retry_after
from streams.local.partner import Partner, run, until_ended
from streams.torture.delivery.partners import LIMIT, PARTNERS

#: The limited one answers 429 to more than these within a second: its limit, and what two processes that share it may
#: send at once.
TAKES = LIMIT + 2
#: Of the requests to the one that closes, one in so many finds its connection closed instead of an answer, and behind
#: so many answers it closes without a word.
UNANSWERED = 7
ANSWERS = 20

#: An answer that does not say that it is the last one of its connection.
LAST = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ending="close")
FAILED = Answer(status=500)
REFUSED = retry_after("1")


class Target(Partner):
    """All partners, told by their paths."""

    def __init__(self, log: Path, seed: int, port: int = 0) -> None:
        super().__init__(port=port, log=log, keep=False)
        self._seed = seed
        self._lately: deque[int] = deque()
        self._served: dict[int, int] = {}

    def received(self, request: Request) -> Answer:
        """See `Partner`."""
        self.count += 1
        self.in_flight += 1
        name = request.path[1:]
        job_id, attempt = request.job_id or "-", request.query.partition("=")[2]
        answer = self._answer(name, request, f"{job_id} {attempt}")
        told = "-" if answer.ending in ("hang", "close") and answer is not LAST else str(answer.status)
        self._lines.append(f"{request.at}\t{name}\t{job_id}\t{attempt}\t{told}\n")
        return answer

    def _answer(self, name: str, request: Request, what: str) -> Answer:
        match PARTNERS[name].nature if name in PARTNERS else "well":
            case "hangs":
                return HANG
            case "fails":
                return FAILED if self._chance(what, 2) else OK
            case "limited":
                return self._limited(request.at)
            case "closes":
                return self._closing(request.connection, what)
        return OK

    def _chance(self, what: str, of: int) -> bool:
        """One in `of`, and the same for the same attempt of the same job."""
        return blake2b(f"{self._seed} {what}".encode(), digest_size=4).digest()[0] % of == 0

    def _limited(self, at: int) -> Answer:
        while self._lately and self._lately[0] <= at - 1_000:
            self._lately.popleft()
        self._lately.append(at)
        return OK if len(self._lately) <= TAKES else REFUSED

    def _closing(self, connection: int, what: str) -> Answer:
        if self._chance(what, UNANSWERED):
            self._served.pop(connection, None)
            return CLOSE
        served = self._served[connection] = self._served.get(connection, 0) + 1
        if served < ANSWERS:
            return OK
        del self._served[connection]
        return LAST


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve in the foreground until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m streams.torture.delivery.target", description=__doc__)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)

    async def serving() -> int:
        return await until_ended(Target(given.log, given.seed))

    return run(serving())


if __name__ == "__main__":
    sys.exit(main())
