"""The report: lines by the dimensions that were asked for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.decision import NOES
from schemas.report import CLAIMED, DECIDED, OUTCOMES, cut
from streams.engine.counts import counted_as
from streams.reports.known import Known, addressed
from streams.reports.totals import Campaign, Jobs, Totals, waiting

#: What lines can be made by, in the order in which they stand.
DIMENSIONS = ("day", "app", "partner", "campaign", "event", "postback")

#: The marketer's words for two derived events: a payment by the first attribution, and by the current one.
TRANSACTIONS, TRANSACTIONS_CA = "payment", "payment_ca"


class Asked(NamedTuple):
    """What a report is made by, and what it is only of. A `partner` is an id, an alias or a stranger's name, a
    `campaign` an id or a name.
    """

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
        counted = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        return {reason: count for reason, count in counted if reason in NOES and count}


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
    only = _Only(totals, known, asked)

    def line(cell: _Cell) -> Line:
        at = tuple(cell[place] for place in places)
        return found.setdefault(at, Line(at))

    by_postback = "postback" in asked.by
    if not by_postback:
        for cell, name, count in _events(totals, known, asked, only):
            _add(line(cell), name, count)
    events = addressed(totals, known) if by_postback else {}
    for jobs, campaign in dict.fromkeys([*totals.by_campaign, *events]):
        cell = _cell(jobs, campaign, totals, only)
        if not only.has(cell):
            continue
        one = line(cell)
        one.counts.update(totals.by_campaign.get((jobs, campaign), {}))
        if by_postback:
            told = one.events is not None and known.tells(jobs)
            one.events = (one.events or 0) + events.get((jobs, campaign), 0) if told else None
    return [found[at] for at in sorted(found)]


def _add(line: Line, name: str, count: int) -> None:
    event = name.removeprefix(CLAIMED)
    line.events = (line.events or 0) + count
    line.claimed += count if name.startswith(CLAIMED) else 0
    line.transactions += count if event == TRANSACTIONS else 0
    line.transactions_ca += count if event == TRANSACTIONS_CA else 0


class _Only:
    """What the report is only of, and what its campaigns are called."""

    def __init__(self, totals: Totals, known: Known, asked: Asked) -> None:
        seen = {Campaign(one.campaign_id, one.campaign_name) for one in totals.fired}
        seen |= {campaign for _, campaign in totals.by_campaign}
        #: The name that a campaign has beside its id, where both were seen.
        self._names = {one.id: one.name for one in sorted(seen, key=str) if one.id and one.name}
        partner = None if asked.partner is None else known.partner_named(asked.partner)
        self._wanted = (asked.app, partner, asked.event)
        #: As lines call them: one that was renamed has several names to its id.
        self._campaigns: set[str] | None = None
        if asked.campaign is not None:
            wanted = cut(asked.campaign)
            self._campaigns = {
                self.named(one) for one in {*seen, Campaign(wanted, None)} if wanted in (one.id, one.name)
            }

    def named(self, campaign: Campaign) -> str:
        """By its name, or by its id where it has none."""
        return campaign.name or self._names.get(campaign.id or "") or campaign.id or ""

    def has(self, cell: _Cell) -> bool:
        """Whether that was asked for."""
        if self._campaigns is not None and cell.campaign not in self._campaigns:
            return False
        found = (cell.app, cell.partner, cell.event)
        return all(one is None or one == other for one, other in zip(self._wanted, found, strict=True))


def _events(totals: Totals, known: Known, asked: Asked, only: _Only) -> Iterator[tuple[_Cell, str, int]]:
    """Derived events and where they stand. Where partners are told apart an event may be the agency's too; where they
    are added up it counts once.
    """
    apart = "partner" in asked.by or asked.partner is not None
    for fired, counts in totals.fired.items():
        partner, campaign = known.partner_of(fired), only.named(Campaign(fired.campaign_id, fired.campaign_name))
        for name, count in counts.items():
            agency = known.agency_of(fired, name) if apart else None
            for whose in (partner,) if agency is None else (partner, agency):
                cell = _Cell(fired.day, fired.app_id, whose, campaign, name.removeprefix(CLAIMED))
                if only.has(cell):
                    yield cell, name, count


def _cell(jobs: Jobs, campaign: Campaign, totals: Totals, only: _Only) -> _Cell:
    of_user = totals.stages.get((jobs.generation, jobs.postback_id)) == "user"
    event = counted_as(jobs.event, "user" if of_user else "device")
    return _Cell(jobs.day, jobs.app_id, jobs.partner, only.named(campaign), event, jobs.postback_id)
