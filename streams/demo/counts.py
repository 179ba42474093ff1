"""What became of the postbacks of a demo, by job id: the same form for what must come out and for what was seen. Pure.

Ids and not only numbers: two jobs that took each other's place would not show in a sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

End = Literal["delivered", "failed", "suppressed", "expired"]

#: At most so many job ids stand in one line of a difference.
SHOWN_IDS = 3


@dataclass(slots=True)
class Jobs:
    """The job ids of one postback. `retried` are those that were sent a second time or more often."""

    decided: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    delivered: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    suppressed: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> set[str]:
        """Decided and not ended."""
        return self.decided - self.delivered - self.failed - self.suppressed - self.expired


def counted(number: int, one: str, more: str) -> str:
    """A number with its word."""
    return f"{number:,} {one if number == 1 else more}"


class Column(NamedTuple):
    """A column of the table: its heading, and the job ids that it counts."""

    name: str
    of: Callable[[Jobs], set[str]]


#: The columns, in their order. A job that expired was not to: it is a difference, and has no column.
COLUMNS: tuple[Column, ...] = (
    Column("decided", lambda jobs: jobs.decided),
    Column("delivered", lambda jobs: jobs.delivered),
    Column("retried", lambda jobs: jobs.retried),
    Column("failed", lambda jobs: jobs.failed),
    Column("suppressed", lambda jobs: jobs.suppressed),
    Column("waiting", lambda jobs: jobs.waiting),
)

#: Names in `Counts.records`, in the order of the table, with what they mean. All but `read` and `dead_letter` are
#: results of `ringback_records_total`.
RECORDS: dict[str, str] = {
    "read": "records in the input topics",
    "duplicate": "read before, changed nothing",
    "too_late": "too old for their device, changed nothing",
    "unknown_app": "of an app that is not configured, ignored",
    "dead_letter": "cannot be read, in the dead-letters topic",
}


@dataclass(slots=True)
class Counts:
    """By postback id, what became of its jobs; by name (`RECORDS`) how many records.

    A name that is missing in `records` was not counted, and is not compared. `twice` tells what happened a second time
    and must not: a job decided again, a job ended again.
    """

    postbacks: dict[str, Jobs] = field(default_factory=lambda: defaultdict(Jobs))
    records: dict[str, int] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)

    def decided(self, postback_id: str, job_id: str) -> None:
        """A job was written to the delivery topic."""
        self._once(postback_id, self.postbacks[postback_id].decided, job_id, "decided")

    def attempted(self, postback_id: str, job_id: str, attempt: int) -> None:
        """An attempt was made; `attempt` is its number, from 1."""
        if attempt > 1:
            self.postbacks[postback_id].retried.add(job_id)

    def ended(self, postback_id: str, job_id: str, outcome: End) -> None:
        """A job has its terminal receipt."""
        jobs = self.postbacks[postback_id]
        ends: dict[End, set[str]] = {
            "delivered": jobs.delivered,
            "failed": jobs.failed,
            "suppressed": jobs.suppressed,
            "expired": jobs.expired,
        }
        if any(job_id in ids for ids in ends.values()):
            self.twice.append(f"{postback_id}: job {job_id} ended a second time, as {outcome}")
        ends[outcome].add(job_id)

    def count(self, postback_id: str, column: str) -> int:
        """The number in a column (a name of `COLUMNS`); 0 for a postback that nothing is known of."""
        jobs = self.postbacks.get(postback_id)
        return len(_BY_NAME[column].of(jobs)) if jobs is not None else 0

    def total(self, column: str) -> int:
        """The number in a column over all postbacks."""
        return sum(self.count(postback_id, column) for postback_id in self.postbacks)

    def _once(self, postback_id: str, ids: set[str], job_id: str, what: str) -> None:
        if job_id in ids:
            self.twice.append(f"{postback_id}: job {job_id} {what} a second time")
        ids.add(job_id)


_BY_NAME = {column.name: column for column in COLUMNS}


def differences(expected: Counts, observed: Counts) -> list[str]:
    """A line for each thing that came out otherwise than it must; empty when all is as expected."""
    lines = list(observed.twice)
    for postback_id in sorted(expected.postbacks.keys() | observed.postbacks.keys()):
        wanted = expected.postbacks.get(postback_id, Jobs())
        seen = observed.postbacks.get(postback_id, Jobs())
        lines += _of_postback(postback_id, wanted, seen)
    for name in RECORDS:
        if name in expected.records and name in observed.records:
            wanted_count, seen_count = expected.records[name], observed.records[name]
            if wanted_count != seen_count:
                lines.append(f"records {name}: expected {wanted_count:,}, observed {seen_count:,}")
    return lines


def _of_postback(postback_id: str, expected: Jobs, observed: Jobs) -> Iterator[str]:
    for column in COLUMNS:
        wanted, seen = column.of(expected), column.of(observed)
        if wanted != seen:
            odd = f"{_named(wanted - seen, 'missing')}{_named(seen - wanted, 'not expected')}"
            yield f"{postback_id} {column.name}: expected {len(wanted):,}, observed {len(seen):,}{odd}"
    if observed.expired:
        yield f"{postback_id} expired: expected 0, observed {len(observed.expired):,}"


def _named(ids: set[str], what: str) -> str:
    return f"; {what}: {some(ids)}" if ids else ""


def some(ids: Collection[str]) -> str:
    """The first of `ids`, and how many there are beside them."""
    more = f" and {len(ids) - SHOWN_IDS:,} more" if len(ids) > SHOWN_IDS else ""
    return f"{', '.join(sorted(ids)[:SHOWN_IDS])}{more}"
