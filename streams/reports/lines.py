"""The report: lines by the dimensions that were asked for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.decision import NOES
from schemas.report import CLAIMED, DECIDED, OUTCOMES
from streams.engine.counts import counted_as
from streams.reports.known import Known, addressed
from streams.reports.totals import Fired, Jobs, Totals, waiting

#: What lines can be made by, in the order in which they stand.
DIMENSIONS = ("day", "app", "partner", "campaign", "event", "postback")

#: The marketer's words for two derived events: a payment by the first attribution, and by the current one.
TRANSACTIONS, TRANSACTIONS_CA = "payment", "payment_ca"


class Asked(NamedTuple):
    """What a report is made by, and what it is only of. A `campaign` is an id or a name."""

    by: Sequence[str] = ("app", "partner", "event")
    app: str | None = None
    partner: str | None = None
    event: str | None = None
    campaign: str | None = None


@dataclass(slots=True)
class Line:
    """`at`: its value in each dimension. `events`: derived events (None: the counts do not tell), of which `claimed`
    gave a source to one that had been counted as organic before. `counts`: `decided`, each no, each outcome.
    """

    at: tuple[str, ...]
    events: int | None = 0
    claimed: int = 0
    transactions: int = 0
    transactions_ca: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def decided(self) -> int:
        """Jobs."""
        return self.counts[DECIDED]

    @property
    def waiting(self) -> int:
        """Jobs that have not ended."""
        return waiting(self.counts)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many jobs ended how."""
        return {outcome: self.counts[outcome] for outcome in OUTCOMES}

    @property
    def noes(self) -> dict[str, int]:
        """Why there was no job, most frequent first."""
        return {reason: count for reason, count in self.counts.most_common() if reason in NOES and count}


class _Cell(NamedTuple):
    """Counts that belong together: in which day, of which app, and so on; an empty text where that cannot be said."""

    day: str
    app: str
    partner: str
    campaign: str
    event: str
    postback: str = ""


def lines(totals: Totals, known: Known, asked: Asked) -> list[Line]:
    """The lines of the report, in the order of their dimensions."""
    found: dict[tuple[str, ...], Line] = {}
    places = [DIMENSIONS.index(name) for name in DIMENSIONS if name in asked.by]
    campaigns = _campaign_names(totals)

    def line(cell: _Cell) -> Line:
        at = tuple(cell[place] for place in places)
        return found.setdefault(at, Line(at))

    if "postback" not in asked.by:
        for cell, name, count in _events(totals, known, asked, campaigns):
            _add(line(cell), name, count)
    events = addressed(totals, known) if "postback" in asked.by else {}
    for jobs, counts in totals.jobs.items():
        cell = _cell(jobs, totals, known, campaigns)
        if not _wanted(cell, asked, campaigns):
            continue
        one = line(cell)
        one.counts.update(counts)
        if "postback" in asked.by:
            one.events = None if one.events is None or jobs not in events else one.events + events[jobs]
    return [found[at] for at in sorted(found)]


def _add(line: Line, name: str, count: int) -> None:
    event = name.removeprefix(CLAIMED)
    line.events = (line.events or 0) + count
    line.claimed += count if name.startswith(CLAIMED) else 0
    line.transactions += count if event == TRANSACTIONS else 0
    line.transactions_ca += count if event == TRANSACTIONS_CA else 0


def _events(totals: Totals, known: Known, asked: Asked, campaigns: dict[str, str]) -> Iterator[tuple[_Cell, str, int]]:
    for fired, counts in totals.fired.items():
        partner, campaign = known.partner_of(fired), _campaign(fired)
        for name, count in counts.items():
            cell = _Cell(fired.day, fired.app_id, partner, campaign, name.removeprefix(CLAIMED))
            if _wanted(cell, asked, campaigns):
                yield cell, name, count


def _cell(jobs: Jobs, totals: Totals, known: Known, campaigns: dict[str, str]) -> _Cell:
    campaign = known.campaign_of(jobs) or ""
    of_user = totals.stages.get((jobs.generation, jobs.postback_id)) == "user"
    event = counted_as(jobs.event, "user" if of_user else "device")
    named = campaigns.get(campaign, campaign)
    return _Cell(jobs.day, jobs.app_id, jobs.partner, named, event, jobs.postback_id)


def _wanted(cell: _Cell, asked: Asked, campaigns: dict[str, str]) -> bool:
    campaign = None if asked.campaign is None else campaigns.get(asked.campaign, asked.campaign)
    wanted = (asked.app, asked.partner, campaign, asked.event)
    found = (cell.app, cell.partner, cell.campaign, cell.event)
    return all(one is None or one == other for one, other in zip(wanted, found, strict=True))


def _campaign(fired: Fired) -> str:
    return fired.campaign_name or fired.campaign_id or ""


def _campaign_names(totals: Totals) -> dict[str, str]:
    """The name that a campaign has beside its id, where both were seen."""
    return {one.campaign_id: one.campaign_name for one in totals.fired if one.campaign_id and one.campaign_name}
