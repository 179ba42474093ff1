"""Reading at the end: what the senders wrote, and what the partners received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from confluent_kafka import Message

from schemas.dead_letter import DeadLetter
from schemas.receipt import Receipt
from schemas.report import OUTCOMES
from streams import kafka
from streams.local.reading import Reader
from streams.reports import reading
from streams.reports.totals import totals
from streams.settings import Settings
from streams.torture.delivery.judging import Arrival, Written

_receipt = msgspec.json.Decoder(Receipt).decode
_letter = msgspec.json.Decoder(DeadLetter).decode


class Receipts:
    """Receipts and dead letters, read committed, as they come. Used by one thread; blocks, raises `Stop`, and what
    `check` raises.
    """

    def __init__(self, settings: Settings, check: Callable[[], None]) -> None:
        names = kafka.Topics(settings.topic_prefix)
        self._letters = names.dead_letters
        self._reader = Reader(settings, [names.receipts, names.dead_letters], check=check)
        self.written = Written()

    def read_on(self) -> None:
        """What there is by now."""
        self._take(self._reader.to_end())

    def read_all(self) -> None:
        """What there is by now, and what lies in transactions that have not ended, when they have."""
        self._take(self._reader.to_end(pending=True))

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            value = message.value() or b""
            if message.topic() == self._letters:
                self.written.letters[_letter(value).job_id or "-"] += 1
            else:
                self.written.take_receipt(_receipt(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()


def written(settings: Settings, check: Callable[[], None]) -> Written:
    """All of it, from the beginning. Blocks; raises `Stop`, and what `check` raises."""
    with Receipts(settings, check) as receipts:
        receipts.read_all()
        found = receipts.written
    counted: Counter[str] = sum(totals(reading.counted(settings, patience=0).rows).jobs.values(), Counter())
    found.counted = Counter({outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]})
    return found


def arrivals(log: Path) -> Iterator[Arrival]:
    """The requests that the partners received, in their order."""
    with log.open() as lines:
        for line in lines:
            at, partner, job_id, attempt, answer = line.rstrip("\n").split("\t")
            yield Arrival(int(at), partner, job_id, int(attempt), answer)
