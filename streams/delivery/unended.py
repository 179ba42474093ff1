"""Where transactions of one transactional id may lack their ends, and how each of those is to end. Pure.

A broker that shuts down may note a transaction as complete without having written the end of it into every partition.
What hangs there is ended by the next end of the same producer's in that partition, commit or abort. Here stands which
of the two it must be: that of the transaction itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

#: A topic and the number of a partition.
Place = tuple[str, int]
#: Kafka's own topic for the positions of groups; those of the sender's group lie in one partition of it.
OFFSETS = "__consumer_offsets"
POSITIONS: Place = (OFFSETS, -1)

End = Literal["committed", "aborted"]


class Newest(NamedTuple):
    """What the coordinator knows of an id's newest transaction: its end; None: since its producer began there was none.
    `places`: where it has something; None: that is not known any more.
    """

    end: End | None
    places: frozenset[Place] | None = None


class Unended:
    """What is known of the ends of one id's transactions, over all of its producers. For one thread at a time."""

    def __init__(self) -> None:
        #: How the last transaction with something for a partition has ended.
        self._ends: dict[Place, End] = {}
        #: Of the transaction whose end is not known: where it may have something, and whether it may be committed.
        self._places: frozenset[Place] = frozenset()
        self._asked = False
        #: How the coordinator is to end what is still open when a producer begins.
        self.wanted: End = "aborted"

    def __bool__(self) -> bool:
        """Whether anything may lack its end."""
        return bool(self._ends or self._places)

    def inherited(self, places: Iterable[Place]) -> None:
        """Another process had this id, and has written to these."""
        self._places = frozenset(places)
        self._asked = True

    def began(self, places: Iterable[Place]) -> None:
        """A transaction, which will have something for these."""
        self._places = frozenset(places)
        self._asked = False

    def reaches(self, place: Place) -> None:
        """It will have something there too."""
        self._places |= {place}

    def asked(self) -> None:
        """Its commit is asked for: from now on only the coordinator knows."""
        self._asked = True

    def ended(self, end: End) -> None:
        """The coordinator has said so of the transaction that began last."""
        self._ends.update(dict.fromkeys(self._places, end))
        self._places = frozenset()

    def heard(self, newest: Newest) -> None:
        """What the coordinator knows, when no producer of the id can do anything any more."""
        found = self._places
        if newest.end is None or (newest.end == "committed" and not self._asked):
            # It never heard of that transaction, which therefore has nothing anywhere.
            found = frozenset()
        elif newest.end == "aborted" and newest.places is not None:
            found &= newest.places
        for place in self._places - found:
            # What lies there is of the one before. When nobody knows how that has ended, it has not happened.
            self._ends.setdefault(place, "aborted")
        self._places = found
        self.ended(newest.end or "aborted")
        self.wanted = "aborted"

    def to_end(self) -> dict[End, frozenset[Place]]:
        """What may hang, by how it is to end. What is committed comes first: were it cut off behind the other, a
        process that knows only the newest end would end it likewise. It stays here, for the ends of these may be
        missing again.
        """
        ends: tuple[End, End] = ("committed", "aborted")
        by = {end: frozenset(place for place, known in self._ends.items() if known == end) for end in ends}
        return {end: places for end, places in by.items() if places}
