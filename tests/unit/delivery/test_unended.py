"""What lacks its end is ended as its transaction ended, through whole histories of brokers and producers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.unended import POSITIONS, End, Newest, Place, Unended

PLACES: tuple[Place, ...] = (("receipts", 0), ("receipts", 1), ("retry", 0), POSITIONS)

#: How a transaction goes on after it began. `unheard`: the coordinator never hears of it; `broken`: its producer dies
#: while it is open; `asked`: the same with its commit asked for, which does not arrive; `timed`: its time is over
#: before the next producer; `unacknowledged`: it is committed, and its producer dies before it hears of that.
Course = Literal["committed", "aborted", "unheard", "broken", "asked", "timed", "unacknowledged"]
#: In the place of a number: a transaction without records.
NOBODY = -1
UNHEARD = Newest(None)
some_places = st.frozensets(st.sampled_from(PLACES))


@dataclass(frozen=True)
class Transaction:
    """`heard`: where it gets when its producer dies early. `skipped`: which partitions do not get its end. `cut`: what
    ends the rest after it is cut off itself, while it is open.
    """

    places: frozenset[Place]
    course: Course
    heard: frozenset[Place]
    skipped: frozenset[Place]
    commit_asked: bool
    cut: bool

    @property
    def dies(self) -> bool:
        return self.course not in ("committed", "aborted")


transactions = st.builds(
    Transaction,
    places=some_places.filter(bool),
    course=st.sampled_from(
        ("committed", "committed", "aborted", "unheard", "broken", "asked", "timed", "unacknowledged")
    ),
    heard=some_places,
    skipped=some_places,
    commit_asked=st.booleans(),
    cut=st.booleans(),
)


@dataclass
class Brokers:
    """As Kafka does it: a partition ends what it has of the producer with the next end that it is given."""

    #: Numbers of transactions that have not ended there.
    open: dict[Place, list[int]] = field(default_factory=lambda: defaultdict(list))
    #: How readers see them.
    seen: dict[tuple[int, Place], End] = field(default_factory=dict)
    #: How the coordinator has decided them.
    decided: dict[int, End] = field(default_factory=dict)
    newest: Newest = UNHEARD
    under_way: tuple[int, frozenset[Place]] | None = None

    def write(self, number: int, places: frozenset[Place]) -> None:
        for place in places:
            self.open[place].append(number)
        self.under_way = number, places

    def end(self, end: End, skipped: frozenset[Place] = frozenset()) -> None:
        assert self.under_way is not None
        number, places = self.under_way
        self.under_way = None
        self.decided[number] = end
        self.newest = Newest(end)
        self.mark(places - skipped, end)

    def mark(self, places: Iterable[Place], end: End) -> None:
        for place in places:
            for number in self.open.pop(place, []):
                self.seen[number, place] = end

    def ask(self, wanted: End) -> Newest:
        if self.under_way is None:
            return self.newest
        places = self.under_way[1]
        self.end(wanted)
        return Newest(wanted, places)

    def fence(self) -> None:
        assert self.under_way is None, "the new producer would abort it without having asked"
        self.newest = Newest(None)


class World:
    """A sender's sessions, one after the other, on brokers that lose ends. `noticed`: each loss is heard of before the
    next transaction.
    """

    def __init__(self, noticed: bool) -> None:
        self.noticed = noticed
        self.brokers, self.unended = Brokers(), Unended()
        self.acknowledged: set[int] = set()
        self.meant: dict[int, frozenset[Place]] = {}

    def live(self, number: int, one: Transaction) -> None:
        self.meant[number] = one.places
        brokers, unended = self.brokers, self.unended
        unended.began(one.places)
        if one.course == "unheard":
            if one.commit_asked:
                unended.asked()
        elif one.course in ("broken", "timed"):
            brokers.write(number, one.places & one.heard)
            if one.course == "timed":
                brokers.end("aborted", one.skipped)
        else:
            brokers.write(number, one.places)
            if one.course != "aborted" or one.commit_asked:
                unended.asked()
            if one.course in ("committed", "unacknowledged"):
                brokers.end("committed", one.skipped)
            elif one.course == "aborted":
                brokers.end("aborted", one.skipped)
        if one.dies:
            if one.cut:
                self.cut()
            self.begin()
            return
        unended.ended("committed" if one.course == "committed" else "aborted")
        if one.course == "committed":
            self.acknowledged.add(number)
        if one.course == "aborted" or (self.noticed and one.skipped):
            self.mend(one.skipped)

    def begin(self) -> None:
        """A new producer."""
        if self.unended:
            self.unended.heard(self.brokers.ask(self.unended.wanted))
        self.brokers.fence()
        self.mend(frozenset())

    def cut(self) -> None:
        """A new producer that dies while it ends what hangs."""
        self.unended.heard(self.brokers.ask(self.unended.wanted))
        self.brokers.fence()
        for end, places in self.unended.to_end().items():
            self.unended.wanted = end
            self.brokers.under_way = NOBODY, places
            return

    def mend(self, skipped: frozenset[Place]) -> None:
        """The ends that are written for it may be lost as well, which is noticed too."""
        for lost in (skipped, frozenset[Place]()):
            for end, places in self.unended.to_end().items():
                self.brokers.mark(places - lost, end)
                self.brokers.newest = Newest(end)


@given(st.lists(transactions, max_size=12))
def test_everything_ends_as_its_transaction_did_when_losses_are_noticed(those: list[Transaction]) -> None:
    """Faults D5."""
    world = World(noticed=True)
    for number, one in enumerate(those):
        world.live(number, one)
    world.begin()
    assert not any(world.brokers.open.values())
    for (number, place), end in world.brokers.seen.items():
        assert end == world.brokers.decided[number], (number, place)


@given(st.lists(transactions, max_size=12))
def test_what_was_acknowledged_is_aborted_by_nothing_but_a_transaction_that_wrote_behind_it(
    those: list[Transaction],
) -> None:
    world = World(noticed=False)
    for number, one in enumerate(those):
        world.live(number, one)
    world.begin()
    assert not any(world.brokers.open.values())
    for (number, place), end in world.brokers.seen.items():
        if number in world.acknowledged and end == "aborted":
            later = [other for other in world.meant if other > number and place in world.meant[other]]
            assert any(world.brokers.decided.get(other) == "aborted" for other in later), (number, place)


@pytest.mark.parametrize(
    ("newest", "end"),
    [
        (Newest("committed"), "committed"),
        (Newest("aborted"), "aborted"),
        (Newest("aborted", frozenset(PLACES[:1])), "aborted"),
        (Newest(None), "aborted"),
    ],
)
def test_what_is_inherited_ends_as_the_newest_transaction(newest: Newest, end: End) -> None:
    unended = Unended()
    unended.inherited(PLACES)
    assert unended
    unended.heard(newest)
    assert unended.to_end() == {end: frozenset(PLACES)}


def test_nothing_is_ended_where_nothing_was_written() -> None:
    unended = Unended()
    assert not unended
    unended.began([PLACES[0]])
    unended.ended("committed")
    assert unended.to_end() == {"committed": frozenset(PLACES[:1])}


def test_a_place_that_an_aborted_transaction_never_reached_keeps_the_end_of_the_one_before() -> None:
    unended = Unended()
    unended.began([PLACES[0]])
    unended.reaches(POSITIONS)
    unended.ended("committed")
    unended.began([PLACES[0], PLACES[1]])
    unended.reaches(POSITIONS)
    unended.heard(Newest("aborted", frozenset(PLACES[:2])))
    assert unended.to_end() == {"committed": frozenset({POSITIONS}), "aborted": frozenset(PLACES[:2])}


def test_a_commit_that_was_not_asked_for_is_that_of_the_transaction_before() -> None:
    unended = Unended()
    unended.began([PLACES[0]])
    unended.ended("committed")
    unended.began([PLACES[0]])
    unended.heard(Newest("committed"))
    assert unended.to_end() == {"committed": frozenset(PLACES[:1])}


def test_a_commit_that_was_asked_for_is_its_own() -> None:
    unended = Unended()
    unended.began([PLACES[0]])
    unended.ended("aborted")
    unended.began([PLACES[0]])
    unended.asked()
    unended.heard(Newest("committed"))
    assert unended.to_end() == {"committed": frozenset(PLACES[:1])}
