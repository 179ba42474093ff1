"""Dead letters by reason and by whom they concern. Pure, and small however many letters there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.dead_letter import DeadLetter

from .found import Address, Found

#: So many groups are told apart; the names in letters may be anything.
MOST = 1_000
#: What stands for the names of those beyond that, and for no name.
OTHERS, NOBODY = "(others)", "-"


class Group(NamedTuple):
    """What makes a line: why, and the partner of a job, or the source topic of an input record."""

    kind: str
    reason: str
    whose: str


@dataclass
class Counted:
    """What a group holds. `oldest` and `newest` in milliseconds; `example` is its newest letter, without raw bytes."""

    count: int
    oldest: int
    newest: int
    example: Found


def group_of(letter: DeadLetter) -> Group:
    """The group that a letter belongs to."""
    whose = letter.partner if letter.kind == "job" else letter.topic
    return Group(letter.kind, letter.reason, whose or NOBODY)


class Groups:
    """Counts letters as they come, in any order."""

    def __init__(self) -> None:
        self.found: dict[Group, Counted] = {}

    def take(self, at: Address, letter: DeadLetter) -> None:
        """The next letter; what it carries is let go."""
        group = group_of(letter)
        if group not in self.found and len(self.found) >= MOST:
            group = Group(letter.kind, OTHERS, OTHERS)
        known = self.found.get(group)
        if known is None:
            self.found[group] = Counted(1, letter.at, letter.at, _bare(at, letter))
            return
        known.count += 1
        known.oldest = min(known.oldest, letter.at)
        if letter.at >= known.newest:
            known.newest, known.example = letter.at, _bare(at, letter)

    @property
    def total(self) -> int:
        """How many letters there are."""
        return sum(one.count for one in self.found.values())

    def lines(self) -> list[tuple[Group, Counted]]:
        """The groups, the largest first."""
        return sorted(self.found.items(), key=lambda one: (-one[1].count, one[0]))


def _bare(at: Address, letter: DeadLetter) -> Found:
    letter.key = letter.value = None
    return Found(at, letter)
