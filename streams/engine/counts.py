"""Daily counts for reports (contract §2, the report topic), kept in the engine's own checkpoint: they are as exact as
the jobs.

A batch adds to the rows that it touches; each row is written whole, into the state and into the report topic.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.config import DAY
from schemas.job import Job
from schemas.report import CLAIMED, DECIDED, OF_USER, ReportRow, cut, day_named
from schemas.touch import Touch
from streams.attribution import events
from streams.attribution.fold import Derived
from streams.engine.devices import Read
from streams.postbacks.decide import No, campaign_of
from streams.postbacks.index import Scope

COUNT_PREFIX = b"c"

_encode = msgspec.json.Encoder(order="deterministic").encode
_counts = msgspec.json.Decoder(dict[str, int]).decode


def counted_as(event: str, scope: Scope) -> str:
    """How a derived event is called where both scopes are counted together."""
    both = scope == "user" and (row := events.parse(event)) is not None and len(row.scopes) > 1
    return event + OF_USER if both else event


class Counts:
    """What one batch of a stage adds, under one generation. `writer`: the workers' id. One with another id begins with
    no state, and decides everything again: its rows add to those of the other, as its jobs do.
    """

    def __init__(self, stage: Scope, generation: int, writer: str | None) -> None:
        self._stage: Scope = stage
        self._generation, self._writer = generation, writer
        #: By day, app and source (publisher, agency, campaign id, campaign name): how often each derived event fired.
        self._events: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        #: By day, app, partner, postback, derived event and campaign (id, name): how many were decided, and each no.
        self._postbacks: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        #: The derived events of a record mostly share their touch: the last one, and how it is counted.
        self._last: tuple[Touch | None, _Source] = (None, _NOBODY)

    def fired(self, app_id: str, at: int, name: str, derived: Derived) -> None:
        """A derived event, counted under this name, of a record of this own time."""
        if derived.claim:
            name = CLAIMED + name
        self._events[at // DAY, app_id, *self._source(derived.attribution.touch)][name] += 1

    def decided(self, job: Job) -> None:
        """A job."""
        of = (job.partner, job.postback_id, job.event, job.campaign_id, job.campaign_name)
        self._postbacks[job.day, job.app_id, *of][DECIDED] += 1

    def refused(self, app_id: str, at: int, partner: str, no: No) -> None:
        """A no, for a record of this own time."""
        of = (partner, no.verdict.postback_id, no.verdict.event, *campaign_of(no.touch))
        self._postbacks[at // DAY, app_id, *of][no.verdict.reason or ""] += 1

    def rows(self, read: Read) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
        """For each row that changed: key and value for the state, key and value for the report topic."""
        rows = list(self._added())
        keys = [COUNT_PREFIX + row.key() for row in rows]
        for key, row, before in zip(keys, rows, read(keys), strict=True):
            counts = Counter(row.counts)
            if before is not None:
                counts.update(_counts(before))
            yield key, _encode(counts), key[len(COUNT_PREFIX) :], _encode(msgspec.structs.replace(row, counts=counts))

    def _source(self, touch: Touch | None) -> _Source:
        last, source = self._last
        if touch is not last:
            source = _source(touch)
            self._last = (touch, source)
        return source

    def _added(self) -> Iterator[ReportRow]:
        for (day, app_id, publisher, agency, campaign_id, campaign_name), counts in self._events.items():
            yield ReportRow(
                kind="events",
                stage=self._stage,
                day=day_named(day),
                app_id=app_id,
                generation=self._generation,
                publisher_name=publisher,
                agency_name=agency,
                campaign_id=campaign_id,
                campaign_name=campaign_name,
                writer=self._writer,
                counts=counts,
            )
        for (day, app_id, partner, postback_id, event, campaign_id, campaign_name), counts in self._postbacks.items():
            yield ReportRow(
                kind="postback",
                stage=self._stage,
                day=day_named(day),
                app_id=app_id,
                generation=self._generation,
                campaign_id=campaign_id,
                campaign_name=campaign_name,
                partner=partner,
                postback_id=postback_id,
                event=event,
                writer=self._writer,
                counts=counts,
            )


#: Publisher, agency, campaign id, campaign name.
_Source = tuple[str | None, str | None, str | None, str | None]
_NOBODY: _Source = (None, None, None, None)


def _source(touch: Touch | None) -> _Source:
    if touch is None:
        return _NOBODY
    publisher, agency = touch.publisher_name, touch.agency_name
    return publisher and cut(publisher), agency and cut(agency), *campaign_of(touch)
