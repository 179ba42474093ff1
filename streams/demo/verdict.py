"""Whether what was seen is what must have come out: not only which jobs there are, but what each of them says, what was
sent for it and when, and how it ended. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams.demo.counts import Counts, counted, differences, some
from streams.demo.expected import Outcome, undated
from streams.templates.finish import finish

#: Milliseconds by which an attempt may seem to begin before it is due: worker and sender read the machine's clock once,
#: each at its own start, and it may have been set a little in between.
EARLY_MS = 50
#: So much of a value stands in the line of a difference.
SHOWN_VALUE = 200

#: A job id, and the path and query that were asked for.
Asked = tuple[str, str]


class Seen(NamedTuple):
    """`jobs`: the delivery topic by job id; `attempts`: the receipts of attempts; `letters`: the dead letters of jobs;
    `requests`: the partner's own log.
    """

    counts: Counts
    jobs: Mapping[str, Job]
    attempts: Sequence[Receipt]
    letters: Sequence[DeadLetter]
    requests: Sequence[Asked]


class Verdict(NamedTuple):
    """`differences`: a line for each, none when all is as it must be. `repeated`: requests that came once more, which a
    sender may do that lost its partitions (docs/guarantees.md).
    """

    differences: list[str]
    repeated: int


def judged(wanted: Outcome, seen: Seen) -> Verdict:
    """What was seen, beside what was to be seen."""
    came = Counter(seen.requests)
    due = owed(wanted)
    found = [
        *differences(wanted.counts, seen.counts),
        *_jobs(wanted, seen),
        *_attempts(wanted, seen),
        *_early(seen),
        *_letters(wanted, seen),
        *_requests(wanted, due - came, [asked for asked in came if asked not in due]),
    ]
    return Verdict(found, sum(number for asked, number in (came - due).items() if asked in due))


def owed(wanted: Outcome) -> Counter[Asked]:
    """The requests that the partner must get. The sample configuration puts neither the moment nor a secret into an
    address, so each is known beforehand to the last byte.
    """
    return Counter(
        (job_id, _target(wanted.jobs[job_id], number))
        for job_id, statuses in wanted.attempts.items()
        for number in range(1, len(statuses) + 1)
    )


def _target(job: Job, attempt: int) -> str:
    parts = urlsplit(finish(job.request, attempt=attempt, now=0, secret=_no_secret).url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _no_secret(reference: str) -> str:
    raise ValueError(f"the demo has no secrets: {reference}")


def _jobs(wanted: Outcome, seen: Seen) -> Iterator[str]:
    """Jobs that say something else than they must."""
    odd: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for job_id in wanted.jobs.keys() & seen.jobs.keys():
        theirs = _said(seen.jobs[job_id])
        for name, value in _said(wanted.jobs[job_id]).items():
            if theirs[name] != value:
                odd[wanted.jobs[job_id].postback_id, name].append(job_id)
    for (postback_id, name), ids in sorted(odd.items()):
        one = min(ids)
        pair = (_shown(_said(jobs[one])[name]) for jobs in (wanted.jobs, seen.jobs))
        yield (
            f"{postback_id} {name}: not as expected in {counted(len(ids), 'job', 'jobs')}: {some(ids)}; "
            f"of {one} expected {next(pair)}, observed {next(pair)}"
        )


def _said(job: Job) -> dict[str, Any]:
    """Every field of a job, and of its request."""
    fields = msgspec.structs.asdict(undated(job))
    return fields | msgspec.structs.asdict(fields.pop("request"))


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN_VALUE else text[:SHOWN_VALUE] + " …"


def _attempts(wanted: Outcome, seen: Seen) -> Iterator[str]:
    """Jobs whose receipts tell of other attempts, or of other answers, than they must have had."""
    told: defaultdict[str, Counter[tuple[int, int | None]]] = defaultdict(Counter)
    for receipt in seen.attempts:
        told[receipt.job_id][receipt.attempt, receipt.status] += 1
    ids = told.keys() | wanted.attempts.keys()
    odd = [one for one in ids if told[one] != Counter(enumerate(wanted.attempts.get(one, ()), 1))]
    yield from _of(odd, "receipts: the attempts, or their answers, are not as expected", "job", "jobs")


def _early(seen: Seen) -> Iterator[str]:
    """Attempts that began before they were due."""
    due = {(job_id, 1): job.due_at for job_id, job in seen.jobs.items()}
    for receipt in seen.attempts:
        if receipt.next_at is not None:
            due[receipt.job_id, receipt.attempt + 1] = receipt.next_at
    early = [
        receipt.job_id
        for receipt in seen.attempts
        if receipt.at - (receipt.duration_ms or 0) < due.get((receipt.job_id, receipt.attempt), 0) - EARLY_MS
    ]
    yield from _of(early, "receipts: sent before it was due", "attempt", "attempts")


def _letters(wanted: Outcome, seen: Seen) -> Iterator[str]:
    """Each job that failed has one dead letter, and no other job has any."""
    due = Counter(wanted.letters.items())
    found = Counter((str(letter.job_id), letter.reason) for letter in seen.letters)
    for what, odd in (("missing", due - found), ("not expected", found - due)):
        listed = [f"{job_id} ({reason})" for job_id, reason in odd.elements()]
        yield from _of(listed, f"dead letters {what}", "job", "jobs")


def _requests(wanted: Outcome, missing: Counter[Asked], strange: Iterable[Asked]) -> Iterator[str]:
    """What the partner's own log says otherwise: requests that never came, and such as nobody was to send."""
    yield from _of([_line(*asked) for asked in missing.elements()], "partner: never came", "request", "requests")
    odd: dict[bool, list[str]] = {True: [], False: []}
    for job_id, target in strange:
        odd[job_id in wanted.jobs].append(_line(job_id, target))
    yield from _of(odd[True], "partner: not as expected", "request", "requests")
    yield from _of(odd[False], "partner: of jobs that nobody had to decide", "request", "requests")


def _line(job_id: str, target: str) -> str:
    return f"{job_id} {target[:SHOWN_VALUE]}"


def _of(odd: Sequence[str], what: str, one: str, more: str) -> Iterator[str]:
    """A line about all of them, when there are any."""
    if odd:
        yield f"{what}: {counted(len(odd), one, more)}: {some(odd)}"
