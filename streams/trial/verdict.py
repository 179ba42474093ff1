"""What the sender would make of an answer, in words, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.config import Partner
from schemas.job import Job
from streams.delivery.outcome import Outcome
from streams.delivery.retry import Backoff, Delivered, Failed, NotCharged, Retry, Suppressed, rule
from streams.delivery.retry import Verdict as Ruled
from streams.settings import duration_text

#: Half of a wait is random: its ends.
LEAST, MOST = 0.0, 0.999_999

#: The parts of the time that an attempt took, as the outcome has them, in their order.
PHASES = (
    ("dns_ms", "name looked up"),
    ("connect_ms", "connected"),
    ("tls_ms", "TLS agreed"),
    ("first_byte_ms", "first byte of the answer"),
    ("duration_ms", "in all"),
)

#: What an answer tells beside its status and body.
HEADERS = (
    "Content-Type", "Content-Length", "Location", "Retry-After", "WWW-Authenticate", "Allow", "Server", "Date",
    "X-Request-Id", "CF-Ray",
)  # fmt: skip

#: What to do, by the code of an error.
REMEDIES: Mapping[str, str] = {
    "blocked": "only public addresses are called; RINGBACK_EGRESS_ALLOW allows others, such as 127.0.0.0/8",
    "dns": "is the host of the URL spelt right, and known to this machine's name server?",
    "resolver": "this machine's name server does not answer",
    "connect": "does anything listen there, and may this machine reach it?",
    "tls": "the certificate must be valid, for this host, and from an authority that this machine trusts",
    "timeout": "it took longer than the partner's `timeout`",
    "disconnected": "the partner closed the connection instead of answering",
    "protocol": "what came back is no HTTP",
    "resources": "this machine has run out of something",
    "request": "the request cannot be written as HTTP: look at its URL and headers",
    "unrenderable": "a deferred part of the template does not fit",
}

#: What to do, by the status of an answer; `4xx` for those without a row of their own.
ANSWERS: Mapping[str, str] = {
    "3xx": "redirects are never followed: put the final address into `url`",
    "401": "are the partner's `fields` right, and its secrets those of this partner?",
    "403": "are the partner's `fields` right, and may this machine's address call it?",
    "404": "is the path of `url` right?",
    "405": "is `method` what the partner expects?",
    "410": "the partner says that this is gone for good",
    "413": "the request is too large for the partner",
    "415": "is the Content-Type in `headers` what the partner expects?",
    "429": "the partner wants fewer requests: `rate_limit`, `max_in_flight`",
    "4xx": "the partner refuses the request: its answer may say why",
    "5xx": "the partner has failed by itself",
}


class Verdict(NamedTuple):
    """Whether it counts as delivered, what the sender would do, and the way out (empty: none is needed)."""

    delivered: bool
    told: str
    remedy: str = ""


def verdict(job: Job, outcome: Outcome, partner: Partner, now: int) -> Verdict:
    """What the sender would do after this first attempt."""
    backoff = Backoff()
    soonest, latest = (rule(job, outcome, partner, now, end, backoff) for end in (LEAST, MOST))
    told, delivered = _told(soonest.verdict, latest.verdict, job, now), isinstance(soonest.verdict, Delivered)
    if soonest.pause:
        told += f"; the partner {partner.id} would be paused until `ringback resume {partner.id}`"
    elif soonest.hold_until is not None:
        told += f"; it asks to be left alone: the partner would be held for {_span(soonest.hold_until - now)}"
    return Verdict(delivered, told, "" if delivered else _remedy(outcome))


def _told(soonest: Ruled, latest: Ruled, job: Job, now: int) -> str:
    """In words what a verdict means; of one that waits, from when to when."""
    match soonest, latest:
        case Delivered(), _:
            return "delivered"
        case Retry(first), Retry(last):
            left = f"{job.retry_attempts} more attempt{'s' if job.retry_attempts != 1 else ''}"
            return f"failed; it would be sent again in {_between(first - now, last - now)}, with {left} at most"
        case Failed(reason), _:
            return f"failed for good ({reason}): the job would become a dead letter"
        case Suppressed(error), _:
            return f"suppressed ({error}): it would never be sent"
        case NotCharged(first), NotCharged(last):
            return (
                f"the fault is on this side: it would be tried again in {_between(first - now, last - now)}, uncharged"
            )
    raise LookupError("no verdict")


def _between(first: int, last: int) -> str:
    ends = _span(first), _span(last)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _span(milliseconds: int) -> str:
    return duration_text(round(milliseconds / 1000) * 1000)


def _remedy(outcome: Outcome) -> str:
    if outcome.error:
        return REMEDIES.get(outcome.error.partition(":")[0], "")
    status = str(outcome.status)
    return ANSWERS.get(status, ANSWERS.get(f"{status[0]}xx", ""))


def phases(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """What is known of where the time went, in milliseconds."""
    for name, meaning in PHASES:
        if (took := getattr(outcome, name, None)) is not None:
            yield meaning, took
