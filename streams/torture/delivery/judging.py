"""What the partners received and what the senders wrote, beside the jobs: nothing lost, nothing ended twice, and no
more repeated than a kill may repeat. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from schemas.receipt import Receipt

#: Times are cut to whole milliseconds, by two clocks.
READING_MS = 2
#: Whoever is repeated had come to the partner at most so long (ms) before the incident that repeats it; or, the partner
#: being busy, so long after it, but before the next one.
BEFORE_MS = 15_000
AFTER_MS = 500
#: So many of a sort are named.
NAMED = 5
#: The limit is looked at over windows of these lengths (ms).
WINDOWS = (1_000, 10_000)


class Due(NamedTuple):
    """A job that was decided: whose it is, when it is due at the earliest (ms), how many redeliveries it may have."""

    partner: str
    due_at: int
    retry_attempts: int


class Arrival(NamedTuple):
    """A request that a partner received: when (ms), and what it answered (`-`: nothing)."""

    at: int
    partner: str
    job_id: str
    attempt: int
    answer: str


class Span(NamedTuple):
    """An incident: from when to when (ms), what it was, and how many requests it may repeat. `waited`: how long (ms)
    the oldest outcome had waited for its commit when a sender was killed.
    """

    began: int
    until: int
    what: str
    allowed: int
    waited: int = 0


@dataclass
class Written:
    """What the senders wrote. By job: the attempts (number, whether delivered, when the next is due) and the ends (how,
    after how many attempts); the dead letters. `counted`: the report's, by how jobs ended.
    """

    attempts: defaultdict[str, list[tuple[int, bool, int | None]]] = field(default_factory=lambda: defaultdict(list))
    ends: defaultdict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    letters: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)

    def take_receipt(self, receipt: Receipt) -> None:
        """A record of the receipts topic."""
        if receipt.kind == "terminal":
            self.ends[receipt.job_id].append((receipt.outcome, receipt.attempt))
        else:
            self.attempts[receipt.job_id].append((receipt.attempt, receipt.outcome == "delivered", receipt.next_at))


class Repeats(NamedTuple):
    """At an incident, or (`what` empty) at none."""

    what: str
    seen: int
    allowed: int
    waited: int = 0


class Judgement(NamedTuple):
    """How many of what is otherwise than it must be; `lines` names the first of each. `rates`: the most requests that
    the limited partner received within a window of so many ms. `ends`: by partner, by how its jobs ended.
    """

    lost: int
    twice: int
    unknown: int
    chains: int
    letters: int
    claimed: int
    early: int
    miscounted: int
    repeats: tuple[Repeats, ...]
    requests: int
    rates: Mapping[int, int]
    ends: Mapping[str, Counter[str]]
    lines: tuple[str, ...]

    @property
    def faults(self) -> int:
        """What must be nothing."""
        wrong = (self.lost, self.twice, self.unknown, self.chains, self.letters, self.claimed, self.early)
        return sum(wrong) + self.miscounted


def judged(
    jobs: Mapping[str, Due], arrivals: Sequence[Arrival], written: Written, spans: Sequence[Span], limited: str
) -> Judgement:
    """All of it. `spans` in their order; `limited`: the partner with the rate limit."""
    came: defaultdict[str, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in arrivals:
        came[one.job_id][one.attempt].append(one.at)
    lost = [one for one in jobs if one not in written.ends]
    twice = [one for one, ends in written.ends.items() if len(ends) > 1]
    unknown = (came.keys() | written.ends.keys() | written.attempts.keys() | written.letters.keys()) - jobs.keys()
    chains = [f"{one}: {why}" for one, due in jobs.items() if (why := _broken(due, written, one))]
    failed = {one for one, ends in written.ends.items() if ("failed" in {outcome for outcome, _ in ends})}
    letters = [one for one in failed | written.letters.keys() if written.letters[one] != (one in failed)]
    claimed = [
        f"{one}, attempt {number}"
        for one, attempts in written.attempts.items()
        for number, delivered, _ in attempts
        if delivered and number not in came.get(one, {})
    ]
    early = [*_early(jobs, came, written)]
    ends: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for job_id, those in written.ends.items():
        if job_id in jobs:
            ends[jobs[job_id].partner].update(outcome for outcome, _ in those)
    total: Counter[str] = sum(ends.values(), Counter())
    outcomes = total.keys() | written.counted.keys()
    miscounted = sum(abs(total[outcome] - written.counted[outcome]) for outcome in outcomes)
    lines = [
        *_named("jobs without an end", lost),
        *_named("jobs that ended twice", twice),
        *_named("jobs that nobody decided", unknown),
        *_named("chains of attempts with a fork or a gap", chains),
        *_named("dead letters missing, or of jobs that did not fail", letters),
        *_named("attempts said to be delivered that the partner has not got", claimed),
        *_named("sent early", early),
        *([f"the report counts {dict(written.counted)}, the receipts say {dict(total)}"] if miscounted else []),
    ]
    return Judgement(
        len(lost), len(twice), len(unknown), len(chains), len(letters), len(claimed), len(early), miscounted,
        tuple(_repeats(came, written, spans)), len(arrivals),
        {window: _most(sorted(one.at for one in arrivals if one.partner == limited), window) for window in WINDOWS},
        dict(ends), tuple(lines),
    )  # fmt: skip


def _broken(due: Due, written: Written, job_id: str) -> str:
    """Why the receipts of a job that has ended once do not tell one story; empty when they do."""
    ends, attempts = written.ends.get(job_id, []), sorted(written.attempts.get(job_id, []), key=lambda one: one[0])
    numbers = [number for number, _, _ in attempts]
    if numbers != list(range(1, len(numbers) + 1)):
        return f"attempts {numbers}"
    if len(ends) != 1:
        return ""
    outcome, last = ends[0]
    delivered = [number for number, is_delivered, _ in attempts if is_delivered]
    if last != len(numbers):
        return f"{outcome} after {last}, attempts {numbers}"
    if delivered != ([last] if outcome == "delivered" else []):
        return f"{outcome} after {last}, delivered at {delivered}"
    if outcome == "failed" and last != due.retry_attempts + 1:
        return f"failed after {last} attempts of {due.retry_attempts + 1}"
    return ""


def _early(jobs: Mapping[str, Due], came: Mapping[str, Mapping[int, Sequence[int]]], written: Written) -> Iterator[str]:
    for job_id, due in jobs.items():
        at = {1: due.due_at}
        for number, _, next_at in written.attempts.get(job_id, ()):
            if next_at is not None:
                at[number + 1] = next_at
        for number, times in came.get(job_id, {}).items():
            if number in at and min(times) < at[number] - READING_MS:
                yield f"{job_id}, attempt {number}, by {at[number] - min(times)} ms"


def _repeats(
    came: Mapping[str, Mapping[int, Sequence[int]]], written: Written, spans: Sequence[Span]
) -> Iterator[Repeats]:
    """A request is too many when its attempt has another one after it, or no receipt: its outcome was lost. It is put
    down to the incident that it came before.
    """
    untils = [min(span.until + AFTER_MS, following.began - 1) for span, following in pairwise(spans)] + [
        span.until + AFTER_MS for span in spans[-1:]
    ]
    seen: Counter[int] = Counter()
    for job_id, attempts in came.items():
        known = {number for number, _, _ in written.attempts.get(job_id, ())}
        for number, times in attempts.items():
            for at in sorted(times)[: len(times) - (number in known)]:
                place = bisect_left(untils, at)
                near = place < len(spans) and at >= spans[place].began - BEFORE_MS
                seen[place if near else -1] += 1
    for place, span in enumerate(spans):
        yield Repeats(span.what, seen[place], span.allowed, span.waited)
    yield Repeats("", seen[-1], 0)


def _most(times: Sequence[int], window: int) -> int:
    """The most of these, in ascending order, within any window."""
    return max((index + 1 - bisect_left(times, at - window + 1) for index, at in enumerate(times)), default=0)


def _named(what: str, found: Collection[str]) -> Iterable[str]:
    if found:
        first = "; ".join(list(found)[:NAMED])
        more = f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        yield f"{what}: {len(found):,}: {first}{more}"
