"""The rows of the report topic, summed over partitions, stages and writers. Pure.

What is summed is what cannot differ by who wrote it: derived events by day, app, generation, stage and source, and what
became of jobs by day, app, generation, partner, postback and derived event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from schemas.decision import NOES
from schemas.report import DECIDED, OUTCOMES, ReportRow

#: What each kind of row of a postback may count.
COUNTED = {"postback": frozenset((DECIDED, *NOES)), "ended": frozenset(OUTCOMES)}


class Fired(NamedTuple):
    """Derived events by the source that they go by; `stage` is whose uniqueness decided them."""

    day: str
    app_id: str
    generation: int
    stage: str
    publisher_name: str | None
    agency_name: str | None
    campaign_id: str | None
    campaign_name: str | None


class Jobs(NamedTuple):
    """What became of a postback: `event` is the derived event that it fired on."""

    day: str
    app_id: str
    generation: int
    partner: str
    postback_id: str
    event: str


class Campaign(NamedTuple):
    """The campaign of a source, as the records have it."""

    id: str | None
    name: str | None


class Totals(NamedTuple):
    """`fired` counts by derived event, `jobs` by `decided`, each no and each outcome; `by_campaign` is the same as
    `jobs`, by campaign too. `stages`: in which stage a postback of a generation was decided. `odd`: what is wrong with
    rows, in words; those are left out.
    """

    fired: dict[Fired, Counter[str]]
    jobs: dict[Jobs, Counter[str]]
    by_campaign: dict[tuple[Jobs, Campaign], Counter[str]]
    stages: dict[tuple[int, str], str]
    odd: list[str]


def totals(rows: Iterable[ReportRow], first: str | None = None, last: str | None = None) -> Totals:
    """Sum the rows of the days from `first` to `last`, both included (None: all)."""
    fired: defaultdict[Fired, Counter[str]] = defaultdict(Counter)
    jobs: defaultdict[Jobs, Counter[str]] = defaultdict(Counter)
    by_campaign: defaultdict[tuple[Jobs, Campaign], Counter[str]] = defaultdict(Counter)
    stages: dict[tuple[int, str], str] = {}
    odd: list[str] = []
    for row in rows:
        wrong = list(_wrong(row))
        odd += wrong
        if wrong or (first is not None and row.day < first) or (last is not None and row.day > last):
            continue
        if row.kind == "events":
            source = (row.publisher_name, row.agency_name, row.campaign_id, row.campaign_name)
            fired[Fired(row.day, row.app_id, row.generation, row.stage, *source)].update(row.counts)
            continue
        of = Jobs(row.day, row.app_id, row.generation, row.partner or "", row.postback_id or "", row.event or "")
        jobs[of].update(row.counts)
        by_campaign[of, Campaign(row.campaign_id, row.campaign_name)].update(row.counts)
        if row.kind == "postback":
            stages[row.generation, row.postback_id or ""] = row.stage
    return Totals(dict(fired), dict(jobs), dict(by_campaign), stages, odd)


def waiting(counts: Counter[str]) -> int:
    """How many jobs are decided and have not ended."""
    return counts[DECIDED] - sum(counts[outcome] for outcome in OUTCOMES)


def refused(counts: Counter[str]) -> int:
    """How many noes there were."""
    return sum(counts[reason] for reason in NOES)


def _wrong(row: ReportRow) -> Iterator[str]:
    """What cannot be in a row that our processes write."""
    name = f"a row of {row.day} {row.app_id} ({row.kind}, {row.stage})"
    try:
        date.fromisoformat(row.day)
    except ValueError:
        yield f"{name}: its day is none"
    if (row.kind == "ended") != (row.stage == "sender"):
        yield f"{name}: that stage writes no such rows"
    known = COUNTED.get(row.kind)
    if known is not None and not (row.partner and row.postback_id and row.event):
        yield f"{name}: it names no postback"
    for what, count in row.counts.items():
        if count < 0:
            yield f"{name}: {count} {what}"
        if known is not None and what not in known:
            yield f"{name}: {what} is nothing that it counts"
