"""How jobs ended, counted for the report in the transaction that writes their terminal receipts. Pure: what commits is
given to it.

A count is exact when nobody else can have written its row. So each run of a sender counts in rows of its own, which
begin at nothing: there is nothing to read when partitions come, and nothing to hand over when they go. A transaction
holds the whole count of every row that it adds to. What was counted is remembered when it is committed; after a
transaction of which nobody knows how it ended the sender begins a new run, with new rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from schemas.report import ReportRow, day_named

from .offsets import Position, Tracker
from .outcomes import Commit
from .settling import Ended, Record, Row

#: With so many rows a run begins others, so that memory does not grow for ever.
MOST_ROWS = 10_000

#: Rows, each with its counts by outcome.
Counted = Mapping[Row, Counter[str]]

_encode = msgspec.json.Encoder().encode


class Counts:
    """What one run of a sender has counted. `writer` is a name that no other run has; its rows lie in one partition of
    the report topic, that of the first job it counts.
    """

    def __init__(self, topic: str, writer: str, most: int = MOST_ROWS) -> None:
        self._topic, self._writer, self._most = topic, writer, most
        self._rows: dict[Row, Counter[str]] = {}
        self._part = 0
        self._partition: int | None = None

    def with_these(self, ended: Iterable[Ended]) -> Counted:
        """The rows that these ends add to, each with its whole count; nothing is remembered yet."""
        whole: dict[Row, Counter[str]] = {}
        for one in ended:
            row = one.row
            if row not in whole:
                whole[row] = Counter(self._rows.get(row))
            whole[row][one.outcome] += 1
        return whole

    def records(self, counted: Counted, partition: int) -> list[tuple[int, Record]]:
        """Rows as records, each with its partition; `partition` is where the first ones go."""
        if self._partition is None:
            self._partition = partition
        return [(self._partition, self._record(row, counts)) for row, counts in counted.items()]

    def _record(self, row: Row, counts: Counter[str]) -> Record:
        day, app_id, generation, partner, postback_id, event, campaign_id, campaign_name = row
        told = ReportRow(
            kind="ended",
            stage="sender",
            day=day_named(day),
            app_id=app_id,
            generation=generation,
            campaign_id=campaign_id,
            campaign_name=campaign_name,
            partner=partner,
            postback_id=postback_id,
            event=event,
            writer=f"{self._writer}.{self._part}",
            counts=counts,
        )
        return Record(self._topic, told.key(), _encode(told))

    def keep(self, counted: Counted) -> None:
        """These rows are committed."""
        self._rows.update(counted)
        if len(self._rows) >= self._most:
            self._rows.clear()
            self._part += 1
            self._partition = None


class Counting:
    """A `Commit` that counts: it adds the rows of the report to each transaction that ends jobs."""

    def __init__(self, commit: Commit, counts: Counts) -> None:
        self._commit, self._counts = commit, counts

    def __call__(self, records: list[tuple[int, Record]], positions: list[tuple[Tracker, Position]]) -> None:
        """See `Commit`."""
        ended = [(partition, record.ended) for partition, record in records if record.ended is not None]
        if not ended:
            self._commit(records, positions)
            return
        counted = self._counts.with_these(one for _, one in ended)
        self._commit([*records, *self._counts.records(counted, ended[0][0])], positions)
        self._counts.keep(counted)
