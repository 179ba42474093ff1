"""The pass over one partition's states that deletes the forgotten ones, some rows at a time.

A pass looks at every row once and is made once a day. Where it has come to is a row of its own, written with what is
deleted: after a restart, here or elsewhere, it goes on from there. Looking is done beside everything else; what it has
found is deleted by a checkpoint without records, like a release of holds, between two batches. By then a device may be
back: so it is looked at again, when no batch is under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from schemas.config import DAY
from streams.engine.checkpoint import Checkpoint, Done
from streams.engine.expiry import PREFIXES, Forgotten, Rules, forgotten
from streams.engine.output import Output
from streams.engine.stages import StageName
from streams.engine.store import OWN_PREFIX, Store

#: Where the pass has come to.
SWEEP_KEY = OWN_PREFIX + b":sweep"
#: Rows deleted in one checkpoint: as many as a small batch writes.
AT_ONCE = 500
#: A pass begins no sooner than this after the one before it.
EVERY = DAY
#: What was found waits for more to be found for so many looks.
LOOKS = 20


class Pass(NamedTuple):
    """`begun`: when, by the broker's clock. `behind`: the last row that was looked at; None: all were."""

    begun: int
    behind: bytes | None

    def encode(self) -> bytes:
        """The stored form."""
        return msgspec.json.encode({"format": 1, "begun": self.begun, "behind": self.behind})

    @classmethod
    def decode(cls, row: bytes | None) -> Pass:
        """Of no row: none has ever been made."""
        if row is None:
            return cls(-EVERY, None)
        found = msgspec.json.decode(row, type=_Row)
        return cls(found.begun, found.behind)


class _Row(msgspec.Struct):
    begun: int
    behind: bytes | None


class Sweep:
    """The passes over one partition. One at a time calls `look` or `forget`; `due` may be asked at any time."""

    def __init__(self, stage: StageName, store: Store) -> None:
        self._stage: StageName = stage
        self._store = store
        self._rules: Rules | None = None
        self._before = 0
        self._pass: Pass | None = None
        self._found: list[bytes] = []
        self._looks = 0
        #: Something is to be written: `forget` is to be called as soon as the partition is free.
        self.due = False

    def look(self, rules: Rules, before: int, now: int, rows: int) -> int:
        """Look at the next rows, this many at most; how many it were. 0: there is nothing to do before tomorrow.

        `before`: no record appended before it will come any more. `now`: by the broker's clock, it only says when the
        day is over. Blocks; not while `due`.
        """
        at = self._pass or Pass.decode(self._store.read([SWEEP_KEY])[0])
        if at.behind is None:
            if now - at.begun < EVERY:
                self._pass = at
                return 0
            at = Pass(now, b"")
        prefix = PREFIXES[self._stage]
        self._rules, self._before = rules, before
        looked, behind = 0, at.behind or b""
        for key, value in islice(self._rows(prefix, behind), rows):
            looked, behind = looked + 1, key
            self._found += [one.key for one in forgotten(self._stage, rules, [(key, value)], before)]
            if len(self._found) == AT_ONCE:
                break
        over = looked < rows and len(self._found) < AT_ONCE
        self._pass = Pass(at.begun, None if over else behind)
        self._looks += 1
        self.due = over or len(self._found) >= AT_ONCE or (bool(self._found) and self._looks >= LOOKS)
        return looked

    def rests(self, now: int) -> bool:
        """Whether the day of the last pass is not over yet."""
        return self._pass is not None and self._pass.behind is None and now - self._pass.begun < EVERY

    def size(self) -> tuple[int, int]:
        """Rows and bytes of the whole state, about. Blocks."""
        return self._store.size()

    async def forget(self, checkpoint: Checkpoint) -> Done:
        """Delete what was found and is still forgotten, and note how far the pass is. The partition is free meanwhile:
        all that was taken is applied. Raises `Fenced`.
        """
        self.due = False
        counts: Counter[tuple[str, ...]] = Counter()
        if self._rules is None or self._pass is None:
            return Done(0, counts, [], None)
        found, self._found, self._looks = self._found, [], 0
        gone = list(self._still(self._rules, found))
        output = Output(puts={one.key: None for one in gone})
        output.puts[SWEEP_KEY] = self._pass.encode()
        marker = await checkpoint.note(checkpoint.marker, output)
        counts.update(("states_forgotten_total", self._stage, one.app_id) for one in gone)
        return Done(0, counts, [], marker)

    def _still(self, rules: Rules, found: list[bytes]) -> Iterator[Forgotten]:
        rows = zip(found, self._store.read(found), strict=True)
        return forgotten(self._stage, rules, rows, self._before)

    def _rows(self, prefix: bytes, behind: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._store.rows(prefix, behind + b"\0" if behind else b"")
