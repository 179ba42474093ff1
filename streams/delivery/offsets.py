"""Which offset of a partition may be committed while its jobs finish out of order. Pure.

The offset committed is the lowest unfinished one. What is finished above it goes into the commit's metadata (`runs`),
and is read back on assignment, so that a job that is finished is not sent again after a restart. Offsets at which there
is no record (aborted ones, markers of transactions) count as finished.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple

from .runs import METADATA_LIMIT, decode_runs, encode_runs, fitting, ranges

#: What is needed at most, whatever ends first: for each unfinished offset, and for each run of them (characters). Or
#: for each offset from the first to the last of them, and for what is behind.
FOR_EACH, FOR_EACH_RUN = 0.5, 5
FOR_EACH_BETWEEN, FOR_REST = 1 / 6, 24


class Position(NamedTuple):
    """What to commit for a partition."""

    offset: int
    metadata: str


class Tracker:
    """One assignment of one partition: what was taken from it and what of that is finished.

    `epoch` tells this assignment from earlier ones of the same partition; a tracker that is closed ignores what
    finishes late. Offsets must be offered in ascending order, as a consumer reads them.
    """

    def __init__(
        self, topic: str, partition: int, epoch: int, committed: int | None = None, metadata: str | None = None
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = epoch
        self.open = True
        self._next = committed
        self._unfinished: list[int] = []
        #: How many runs the unfinished offsets make.
        self.runs = 0
        self._done: list[tuple[int, int]] = []
        if committed is not None:
            self._done = ranges(committed, decode_runs(metadata))
        self._given: Position | None = None

    def __len__(self) -> int:
        """How many jobs of the partition are unfinished."""
        return len(self._unfinished)

    @property
    def following(self) -> int | None:
        """The offset behind the newest one that was read; None when none was and none is committed."""
        return self._next

    def take(self, offset: int) -> bool:
        """Note that `offset` was read. False: it was finished before the restart and must not be worked on again."""
        if self._next is not None and offset < self._next:
            return False
        while self._done and self._done[0][1] <= offset:
            self._pass(self._done.pop(0)[1])
        if self._done and self._done[0][0] <= offset:
            self._pass(offset + 1)
            return False
        self._pass(offset + 1)
        if not self._unfinished or self._unfinished[-1] != offset - 1:
            self.runs += 1
        self._unfinished.append(offset)
        return True

    def _pass(self, following: int) -> None:
        self._next = following if self._next is None else max(self._next, following)

    def finish(self, offset: int) -> bool:
        """Note that the work on `offset` is done. False: it was not unfinished here, or the assignment is over."""
        if not self.open:
            return False
        place = bisect.bisect_left(self._unfinished, offset)
        if place == len(self._unfinished) or self._unfinished[place] != offset:
            return False
        before = place > 0 and self._unfinished[place - 1] == offset - 1
        behind = place + 1 < len(self._unfinished) and self._unfinished[place + 1] == offset + 1
        self.runs += before + behind - 1
        del self._unfinished[place]
        return True

    def close(self) -> None:
        """End the assignment: late results are ignored from here on."""
        self.open = False

    def position(self) -> Position | None:
        """What may be committed now; None when nothing was read and nothing had been committed."""
        if self._next is None:
            return None
        if not self._unfinished:
            return Position(self._next, "") if not self._done else self._with(self._next)
        return self._with(self._unfinished[0])

    def _with(self, start: int) -> Position:
        runs = _runs(start, self._unfinished, self._next or start, self._done)
        return Position(start, fitting(encode_runs(runs)))

    def changed(self) -> Position | None:
        """The position when it differs from the last one that `committed` was told; None otherwise."""
        position = self.position()
        return None if position == self._given else position

    def committed(self, position: Position) -> None:
        """Note that `position` is committed."""
        self._given = position

    @property
    def needs(self) -> float:
        """So many characters of metadata hold what is to be told of the jobs that are unfinished, whatever ends
        first.
        """
        if not self._unfinished:
            return 0.0
        between = self._unfinished[-1] - self._unfinished[0] + 1
        runs = FOR_EACH * len(self._unfinished) + FOR_EACH_RUN * self.runs
        return min(runs, FOR_EACH_BETWEEN * between + FOR_REST)

    def pressed(self, reserve: int) -> bool:
        """Whether `reserve` more jobs could make the metadata too long: then nothing more may be taken for now.

        A job more adds at most one unfinished and one finished run next to it; 4 characters hold both, long finished
        runs aside, of which there are few for each batch.
        """
        if len(self._unfinished) + reserve <= METADATA_LIMIT // 8:
            return False
        position = self.position()
        return position is not None and len(position.metadata) + 4 * reserve > METADATA_LIMIT


def _runs(start: int, unfinished: Sequence[int], following: int, done: Sequence[tuple[int, int]]) -> list[int]:
    """Alternating run lengths from `start`: unfinished, finished, …; a run of unfinished ones at the end says
    nothing and is left out.

    `done` are ranges finished before the restart that reading has not reached yet: they must stay known in the next
    commit.
    """
    lengths: list[int] = []
    run_start = at = start
    for offset in unfinished:
        if offset > at:
            lengths += (at - run_start, offset - at)
            run_start = offset
        at = offset + 1
    if following > at:
        lengths += (at - run_start, following - at)
        run_start = at = following
    for begin, end in done:
        begin = max(begin, at)
        if end <= begin:
            continue
        if begin == at and run_start == at and lengths:
            lengths[-1] += end - begin
        else:
            lengths += (begin - run_start, end - begin)
        run_start = at = end
    return lengths
