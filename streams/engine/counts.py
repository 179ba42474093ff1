"""Daily counts for reports (contract §2, the report topic), kept in the engine's own checkpoint: they are as exact as
the jobs.

A batch adds to the rows that it touches; each row is written whole into the state, and told to the report topic some
time later (see `untold`). The metrics of what was decided are the same counts by fewer names: they are made of them
when the batch is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from schemas.config import DAY
from schemas.job import Job
from schemas.report import CLAIMED, DECIDED, OF_USER, ReportRow, day_named
from schemas.touch import Touch
from streams.attribution import events
from streams.attribution.fold import Fact
from streams.engine.devices import Read
from streams.postbacks.decide import No, campaign_of, cut_name
from streams.postbacks.index import Index, Scope

COUNT_PREFIX = b"c"

_encode = msgspec.json.Encoder(order="deterministic").encode
_counts = msgspec.json.Decoder(dict[str, int]).decode


def told(row: bytes, counts: bytes) -> tuple[bytes, bytes]:
    """Key and value for the report topic, of a row of the state."""
    key = row[len(COUNT_PREFIX) :]
    return key, _encode(ReportRow.of(key, _counts(counts)))


def counted_as(event: str, scope: Scope) -> str:
    """How a derived event is called where both scopes are counted together."""
    both = scope == "user" and (row := events.parse(event)) is not None and len(row.scopes) > 1
    return event + OF_USER if both else event


#: By name, how often.
_Row = dict[str, int]
#: Publisher, agency, campaign id, campaign name.
_Source = tuple[str | None, str | None, str | None, str | None]
_NOBODY: _Source = (None, None, None, None)


class Counts:
    """What one batch of a stage adds, under one generation. `writer`: the workers' id. One with another id begins with
    no state, and decides everything again: its rows add to those of the other, as its jobs do.

    Whatever can be done once per row is done at the end, and not for every record.
    """

    def __init__(self, stage: Scope, index: Index, writer: str | None) -> None:
        self._stage: Scope = stage
        self._index, self._writer = index, writer
        #: By day, app, whether they are claims, and source as it is written: how often each derived event fired.
        self._fired: dict[tuple[int, str, bool, _Source], _Row] = {}
        #: By day, app, partner, postback, derived event and campaign (id, name): how many were decided, and each no.
        self._postbacks: dict[tuple[int, str, str, str, str, str | None, str | None], _Row] = {}

    def fired(self, fact: Fact) -> None:
        """The derived events of a record."""
        row: _Row = {}
        last: Touch | Fact | None = fact  # none of the touches
        claim = False
        for derived in fact.derived:
            touch = derived.attribution.touch
            # The derived events of a record mostly share their touch.
            if touch is not last or derived.claim is not claim:
                last, claim = touch, derived.claim
                row = self._row(fact, touch, claim)
            event = derived.event
            row[event] = row.get(event, 0) + 1

    def decided(self, job: Job) -> None:
        """A job."""
        of = (job.day, job.app_id, job.partner, job.postback_id, job.event, job.campaign_id, job.campaign_name)
        row = self._postbacks.get(of)
        if row is None:
            row = self._postbacks[of] = {}
        row[DECIDED] = row.get(DECIDED, 0) + 1

    def refused(self, app_id: str, at: int, partner: str, no: No) -> None:
        """A no, for a record of this own time."""
        verdict, reason = no.verdict, no.verdict.reason or ""
        of = (at // DAY, app_id, partner, verdict.postback_id, verdict.event, *campaign_of(no.touch))
        row = self._postbacks.setdefault(of, {})
        row[reason] = row.get(reason, 0) + 1

    def metrics(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The keys of the metrics that count the same, and by how much each goes up."""
        for (_, app_id, _, _), row in self._fired.items():
            for event, many in row.items():
                yield ("derived_events_total", app_id, self._named(app_id, event)), many
        for (_, app_id, partner, postback_id, event, _, _), row in self._postbacks.items():
            if many := row.get(DECIDED, 0):
                yield ("postbacks_decided_total", app_id, partner, postback_id, event), many

    def rows(self, read: Read) -> Iterator[tuple[bytes, bytes]]:
        """The rows of the state that changed."""
        rows = list(self._added())
        keys = [COUNT_PREFIX + row.key() for row in rows]
        for key, row, before in zip(keys, rows, read(keys), strict=True):
            counts = dict(row.counts)
            if before is not None:
                for name, many in _counts(before).items():
                    counts[name] = counts.get(name, 0) + many
            yield key, _encode(counts)

    def _row(self, fact: Fact, touch: Touch | None, claim: bool) -> _Row:
        """The row that derived events of the record count in."""
        entry, source = fact.entry, _NOBODY
        if touch is not None:
            source = (touch.publisher_name, touch.agency_name, touch.campaign_id, touch.campaign_name)
        key = (entry.at // DAY, entry.record.app_id, claim, source)
        row = self._fired.get(key)
        if row is None:
            row = self._fired[key] = {}
        return row

    def _named(self, app_id: str, event: str) -> str:
        return counted_as(self._index.counted(app_id, event), self._stage)

    def _events(self) -> dict[tuple[int, str, _Source], Counter[str]]:
        """How often each derived event fired, by day, app and source, under the names that they are counted by."""
        events: dict[tuple[int, str, _Source], Counter[str]] = {}
        for (day, app_id, claim, (publisher, agency, campaign_id, campaign_name)), row in self._fired.items():
            source = (cut_name(publisher), cut_name(agency), cut_name(campaign_id), cut_name(campaign_name))
            counts = events.setdefault((day, app_id, source), Counter())
            for event, many in row.items():
                counts[(CLAIMED if claim else "") + self._named(app_id, event)] += many
        return events

    def _added(self) -> Iterator[ReportRow]:
        generation = self._index.generation
        for (day, app_id, (publisher, agency, campaign_id, campaign_name)), counts in self._events().items():
            yield ReportRow(
                kind="events",
                stage=self._stage,
                day=day_named(day),
                app_id=app_id,
                generation=generation,
                publisher_name=publisher,
                agency_name=agency,
                campaign_id=campaign_id,
                campaign_name=campaign_name,
                writer=self._writer,
                counts=counts,
            )
        for (day, app_id, partner, postback_id, event, campaign_id, campaign_name), row in self._postbacks.items():
            yield ReportRow(
                kind="postback",
                stage=self._stage,
                day=day_named(day),
                app_id=app_id,
                generation=generation,
                campaign_id=campaign_id,
                campaign_name=campaign_name,
                partner=partner,
                postback_id=postback_id,
                event=event,
                writer=self._writer,
                counts=row,
            )
