"""The jobs of two configurations beside each other. Pure.

A job has the same id under both, since that is made of the postback's id and of the input record; so whatever only one
of them has is a job more, or one fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.decision import Decision
from schemas.job import Deferred, Job, Part, Request

Side = Literal["before", "after"]
SIDES: tuple[Side, Side] = ("before", "after")

#: So many examples of each sort.
EXAMPLES = 3
#: So many decisions of each side are remembered, to say why it has no job: the sides are about this far apart.
RECENT = 10_000
#: A secret is never resolved here: what it goes into stands as it is written.
_AS_WRITTEN = "{%s}"


class Example(NamedTuple):
    """A job that changes: the record that leads to it, and its requests (None: no job). `why` there is none on one
    side is a key of `decision.NOES` or `decision.RESULTS`; None when that is not known.
    """

    record_id: str
    device_key: str
    event: str
    before: Request | None
    after: Request | None
    why: str | None = None


@dataclass
class Postback:
    """What changes for one postback. `changed`: the same jobs with other requests."""

    before: int = 0
    after: int = 0
    more: int = 0
    fewer: int = 0
    changed: int = 0
    examples: dict[str, list[Example]] = field(default_factory=lambda: {"more": [], "fewer": [], "changed": []})

    @property
    def is_same(self) -> bool:
        """Whether nothing changes."""
        return not (self.more or self.fewer or self.changed)


class _Waiting(NamedTuple):
    side: Side
    appended: int
    job: Job


class Comparison:
    """Takes jobs of both sides, those of each in its order; matches them as they come.

    What waits for its twin is kept, so the sides must be taken about equally far, and `settle` called now and then.
    """

    def __init__(self) -> None:
        self.postbacks: dict[str, Postback] = {}
        self._waiting: dict[str, _Waiting] = {}
        #: The jobs that wait, by the device key and the id of their records; why the other side has none of them.
        self._asking: dict[tuple[str, str], list[str]] = {}
        self._whys: dict[str, str] = {}
        self._recent: dict[Side, dict[tuple[str, str, str], Decision]] = {side: {} for side in SIDES}

    def __len__(self) -> int:
        """How many jobs wait for their twins."""
        return len(self._waiting)

    def told(self, side: Side, decision: Decision) -> None:
        """What `side` decided for a record, at level `all`."""
        if decision.result == "held":
            return  # it is decided later
        recent, record = self._recent[side], (decision.device_key, decision.record_id)
        # That a record comes again changes nothing of what was decided.
        recent.setdefault((*record, decision.scope), decision)
        if len(recent) > RECENT:
            del recent[next(iter(recent))]
        for job_id in self._asking.get(record, ()):
            if self._waiting[job_id].side != side:
                self._because(job_id, decision, self._waiting[job_id].job)

    def take(self, side: Side, job: Job, appended: int) -> None:
        """A job that `side` has; `appended` is the append time of its record."""
        row = self.postbacks.setdefault(job.postback_id, Postback())
        if side == "before":
            row.before += 1
        else:
            row.after += 1
        twin = self._waiting.get(job.job_id)
        if twin is not None:
            self._done(twin.job)
        if twin is None or twin.side == side:
            self._wait(_Waiting(side, appended, job))
            return
        self._whys.pop(job.job_id, None)
        if twin.job.request != job.request:
            row.changed += 1
            before, after = (twin.job, job) if side == "after" else (job, twin.job)
            _show(row, "changed", job, before.request, after.request)

    def settle(self, earlier_than: int | None = None) -> None:
        """No twin will come any more for jobs whose records were appended before this time; None: for none at all."""
        done = []
        for job_id, one in self._waiting.items():
            if earlier_than is not None and one.appended >= earlier_than:
                # In about the order of append times: what lies behind has to wait as well, or is settled later.
                break
            done.append(job_id)
        for job_id in done:
            side, _, job = self._waiting[job_id]
            self._done(job)
            why = self._whys.pop(job_id, None)
            row = self.postbacks[job.postback_id]
            if side == "after":
                row.more += 1
                _show(row, "more", job, None, job.request, why)
            else:
                row.fewer += 1
                _show(row, "fewer", job, job.request, None, why)

    def _wait(self, one: _Waiting) -> None:
        job, other = one.job, SIDES[one.side == "before"]
        self._waiting[job.job_id] = one
        self._asking.setdefault((job.device_key, job.record_id), []).append(job.job_id)
        for scope in ("device", "user"):
            decision = self._recent[other].get((job.device_key, job.record_id, scope))
            if decision is not None:
                self._because(job.job_id, decision, job)

    def _done(self, job: Job) -> None:
        """The job waits no longer."""
        del self._waiting[job.job_id]
        record = job.device_key, job.record_id
        self._asking[record].remove(job.job_id)
        if not self._asking[record]:
            del self._asking[record]

    def _because(self, job_id: str, decision: Decision, job: Job) -> None:
        """Remember why there is no such job, if the decision says so."""
        reasons = (one.reason for one in decision.verdicts if one.postback_id == job.postback_id)
        found = next((reason for reason in reasons if reason is not None), None)
        if found is None and decision.result != "processed":
            found = decision.result
        if found is not None:
            self._whys.setdefault(job_id, found)


def _show(
    row: Postback, what: str, job: Job, before: Request | None, after: Request | None, why: str | None = None
) -> None:
    if len(row.examples[what]) < EXAMPLES:
        row.examples[what].append(Example(job.record_id, job.device_key, job.event, before, after, why))


def written(parts: tuple[Part, ...] | None) -> str:
    """A part of a request as far as it is known before it is sent: a macro of the sender's stands as the macro, a
    secret as its reference.
    """
    return "".join(part if isinstance(part, str) else _deferred(part) for part in parts or ())


def _deferred(part: Deferred) -> str:
    modifiers = "".join(f"|{name}" + (f":{given}" if given is not None else "") for name, given in part.modifiers)
    if part.kind == "text" and not modifiers:
        return str(part.base)
    return _AS_WRITTEN % f"{part.base}{modifiers}"


#: What a request consists of, in the order in which it is told.
PARTS: dict[str, Callable[[Request], str]] = {
    "url": lambda request: written(request.url),
    "method": lambda request: request.method,
    "headers": lambda request: "; ".join(f"{name}: {written(parts)}" for name, parts in request.headers),
    "body": lambda request: written(request.body),
}


def differences(before: Request, after: Request) -> Iterator[tuple[str, str, str]]:
    """The parts in which two requests differ: name, and both values."""
    for name, text in PARTS.items():
        if text(before) != text(after):
            yield name, text(before), text(after)
