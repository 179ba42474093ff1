"""Replaying and purging dead letters: first a look at what would be done, then doing it, portion by portion.

All methods block and raise `Stop`. What lies in the topic when it is looked at is acted on, and nothing that comes
later: a letter that is replayed and dies again meanwhile is another letter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka.admin import AdminClient

from streams.clock import Clock
from streams.explain.scanning import Place, Span, Tell
from streams.settings import Settings

from .again import Record, Refused
from .asked import Asked
from .found import Address, Done, Found
from .groups import Groups
from .pace import Pace
from .portions import Portion, Refusals, notes, portions
from .reading import DeadLetters
from .writing import Writer

#: Says how many letters are done.
Progress = Callable[[int], None]
#: What a letter becomes: a record, nothing but a note, or why it stays as it is.
Becomes = Callable[[Found], Record | Refused | None]


@dataclass
class Seen:
    """What a look has found: what would be done, by group; what would not; and how many had been done before."""

    groups: Groups = field(default_factory=Groups)
    refusals: Refusals = field(default_factory=Refusals)
    before: int = 0
    #: Of what is named one by one the addresses and job ids that there are letters of; the latter if one is open; and
    #: those whose open letters are not meant by what else is said.
    named: set[Address | str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    others: set[Address | str] = field(default_factory=set)


class Acting:
    """One replay or purge. `by`: who does it."""

    def __init__(self, settings: Settings, admin: AdminClient, asked: Asked, clock: Clock, by: str, tell: Tell) -> None:
        self.settings, self.admin, self.asked, self.clock, self._by = settings, admin, asked, clock, by
        self.topic = DeadLetters(settings, admin, tell)
        self.spans: dict[Place, Span] = self.topic.spans(asked)
        self._done = self.topic.done(self.spans)
        self.seen = Seen()
        #: How many letters, and jobs without a letter, have been done.
        self.count = 0
        #: What was not done, once something was.
        self.refusals = Refusals()

    def look(self, becomes: Becomes) -> None:
        """See what there is to do."""
        seen = self.seen = Seen()
        for found in self.letters(seen):
            record = becomes(found)
            if isinstance(record, Refused):
                seen.refusals.take(str(found.address), record)
            else:
                seen.groups.take(*found)
        for address in set(self.asked.addresses) - seen.named:
            seen.refusals.take(str(address), Refused("nowhere"))
        for name in sorted(map(str, seen.others & {*self.asked.addresses, *self.asked.job_ids})):
            seen.refusals.take(name, Refused("other"))

    def letters(self, seen: Seen) -> Iterator[Found]:
        """The letters that are open. Of those that are named one by one the done ones are noted."""
        if not self.asked.names_single_ones:
            yield from self.topic.letters(self.spans, self._done, self.asked)
            return
        for found in self.topic.letters(self.spans, Done({}), self.asked.by_name):
            names: set[Address | str] = {found.address, found.letter.job_id or ""}
            seen.named |= names
            is_meant = self.asked.means(*found)
            if found.address in self._done:
                seen.before += is_meant
                continue
            seen.open.add(found.letter.job_id or "")
            if is_meant:
                yield found
            else:
                seen.others |= names

    def act(
        self, becomes: Becomes, done: Literal["replayed", "purged"], pace: Pace, timeout: float, tell: Progress
    ) -> None:
        """Do it. `count` says how far it has come when it breaks off; the letters that it was at may be done too."""
        writer = Writer(self.settings, timeout)
        try:
            writer.start()
            self._hear_of_others()
            letters = self.topic.letters(self.spans, self._done, self.asked)
            whole = portions(letters, pace.at_once, becomes, lambda some: self._notes(done, some), self.refusals)
            self._write(whole, writer, pace, tell)
            self._write(self.besides(pace.at_once), writer, pace, tell)
        finally:
            writer.close()

    def besides(self, at_once: int) -> Iterable[Portion]:
        """What is written besides the letters."""
        return ()

    def _notes(self, done: Literal["replayed", "purged"], addresses: list[Address]) -> Iterable[Record]:
        return notes(self.topic.topic, done, addresses, self.clock.now(), self._by)

    def _hear_of_others(self) -> None:
        """What somebody else has done since the look. From here on nobody else does anything."""
        later = {
            place: span._replace(first=max(span.begin, self.spans[place].end))
            for place, span in self.topic.settled(self.spans).items()
        }
        for at, made in self.topic.notes(later):
            self._done.take(at, made)

    def _write(self, whole: Iterable[Portion], writer: Writer, pace: Pace, tell: Progress) -> None:
        """Write portions, none before it is its turn."""
        began = time.monotonic()
        count = 0
        for portion in whole:
            while (left := began + pace.due(count) - time.monotonic()) > 0:
                time.sleep(min(left, 1.0))
                tell(self.count)
            writer.write(portion.records)
            count += portion.size
            self.count += portion.size
            tell(self.count)


class Purging(Acting):
    """Letters are put away."""

    def prepare(self) -> None:
        """See what there is, and what is named and is not there."""
        self.look(lambda _found: None)
        for job_id in sorted(set(self.asked.job_ids) - self.seen.named):
            self.seen.refusals.take(job_id, Refused("no_letter"))

    def do(self, pace: Pace, timeout: float, tell: Progress) -> None:
        """Put them away."""
        self.act(lambda _found: None, "purged", pace, timeout, tell)
