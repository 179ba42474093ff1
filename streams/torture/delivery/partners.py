"""The twenty partners: what each does with a request, how many of the jobs are its own, and the configuration. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.config import HOUR, SECOND

#: `hangs` takes requests and never answers; `fails` answers 500 half the time; `limited` takes so many a second and
#: answers 429 to what is more; `closes` closes connections, before it answers and after some answers.
Nature = Literal["well", "hangs", "fails", "limited", "closes"]

APP = "com.example.torture"
#: What the limited one takes in a second.
LIMIT = 10


class Traits(NamedTuple):
    """`share`: its part of all jobs. The others as in the configuration, times in milliseconds."""

    nature: Nature
    share: float
    retry_attempts: int = 3
    max_age: int = 24 * HOUR
    max_in_flight: int = 50
    timeout: int = 10 * SECOND
    rate_limit: str = ""


#: A job for the one that hangs ends by its age, since the breaker lets few attempts through. The limited one has as
#: many as it takes in the time that a run lasts: of 200,000 jobs 2,000, which is 200 s at its limit.
BAD = {
    "hangs": Traits("hangs", 0.05, retry_attempts=2, max_age=20 * SECOND, max_in_flight=20, timeout=500),
    "fails": Traits("fails", 0.05),
    "limited": Traits("limited", 0.01, retry_attempts=10, rate_limit=f"{LIMIT}/s"),
    "closes": Traits("closes", 0.05, retry_attempts=8),
}
WELL = 16
SHARE_OF_WELL = (1.0 - sum(one.share for one in BAD.values())) / WELL
PARTNERS: dict[str, Traits] = BAD | {
    f"well-{number:02}": Traits("well", SHARE_OF_WELL) for number in range(1, WELL + 1)
}

_HEAD = """\
sources:
  - {topic: @installs, record: install}
  - {topic: @events, record: event}
apps:
  - {id: com.example.torture, project: torture, platform: android}
partners:
"""
_PARTNER = "  - {{id: {id}, name: {id}, max_in_flight: {most}, timeout: {timeout}ms{limit}}}\n"
_POSTBACK = '  - {{id: {id}-install, app: {app}, partner: {id}, event: install, url: "{url}/{id}?job={{job_id}}"}}\n'


def text(prefix: str, url: str) -> str:
    """The configuration file: all partners live at `url`, the input topics' names begin with `prefix`."""
    partners = "".join(
        _PARTNER.format(
            id=name,
            most=one.max_in_flight,
            timeout=one.timeout,
            limit=f", rate_limit: {one.rate_limit}" if one.rate_limit else "",
        )
        for name, one in PARTNERS.items()
    )
    postbacks = "".join(_POSTBACK.format(id=name, app=APP, url=url.rstrip("/")) for name in PARTNERS)
    return f"{_HEAD.replace('@', prefix)}{partners}postbacks:\n{postbacks}"
