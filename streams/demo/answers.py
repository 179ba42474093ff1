"""How the demo's partner answers, decided by the job's id alone: so what must come out can be told beforehand. Pure."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from streams.local.exchange import OK, Answer, retry_after

#: The shortest and the longest time that a slow answer takes, in seconds: far below every partner's timeout.
SLOW = (0.2, 1.5)
WHOLE = 1_000


class Mood(NamedTuple):
    """How `share` of 1,000 jobs are answered: those below `path`, up to attempt `attempts`; all others with 200.

    `answer` is given a number in [0, 1), another one for each job.
    """

    name: str
    share: int
    answer: Callable[[float], Answer]
    path: str = "/"
    attempts: int = WHOLE


def _slowly(fraction: float) -> Answer:
    least, most = SLOW
    return Answer(delay=round(least + (most - least) * fraction, 3))


#: A second failure would let the demo wait for a minute and a half: what fails and is retried fails once.
MOODS: tuple[Mood, ...] = (
    Mood("breaks", 50, lambda _: Answer(status=500, body=b"try again"), attempts=1),
    Mood("busy", 30, lambda _: retry_after("1"), attempts=1),
    Mood("slow", 100, _slowly),
    Mood("unknown", 60, lambda _: Answer(status=404, body=b"no such click"), path="/initech/"),
)


def answer(job_id: str, attempt: int, path: str) -> Answer:
    """The answer to attempt number `attempt` (from 1) of a job, at the path of its request."""
    digest = blake2b(job_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    place = int.from_bytes(digest[:4], "big") % WHOLE
    for mood in MOODS:
        if place < mood.share:
            applies = attempt <= mood.attempts and path.startswith(mood.path)
            return mood.answer(int.from_bytes(digest[4:], "big") / 2**32) if applies else OK
        place -= mood.share
    return OK
