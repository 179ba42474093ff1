"""The senders of a run, one in each slot."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from streams.demo.progress import Series
from streams.local.guarded import GuardedProcess
from streams.torture.delivery import gauge
from streams.torture.fleet import Fleet, Slot, ask

#: What a kill may repeat beside what is under way: what ended within so many seconds before it (contract §7).
COMMIT_SECONDS = 0.05

MODULE = "streams.torture.delivery.sender"
_ASSIGNED = re.compile(r"\bassigned\s.*\bpartitions=(\d+)")
#: What of a sender's work is not done.
_WAITING = ("jobs_delayed", "jobs_waiting", "jobs_in_flight", "lag_records")
#: What a sender tells when it has lost its place without having been killed.
_MISHAPS = re.compile(r"partitions lost|beginning anew")


class Fall(NamedTuple):
    """A sender died at `moment` (seconds since 1970) with so many requests under way, and so many just ended. The
    oldest of these had waited so long (seconds) for its commit.
    """

    moment: float
    flying: int
    just: int
    uncommitted: float


@dataclass
class Senders(Fleet):
    """See `Fleet`. `falls`: of those that were killed."""

    what: ClassVar[str] = "sender"
    falls: list[Fall] = field(default_factory=list)

    def launched(self, slot: Slot, name: str, more: Mapping[str, str]) -> GuardedProcess:
        """See `Fleet`."""
        return self.site.start(name, MODULE, state=slot.state, **more, **{gauge.VARIABLE: str(self.gauge_of(slot))})

    def gauge_of(self, slot: Slot) -> Path:
        """The gauge of the running process."""
        return self.site.folder / f"gauge-{slot.number}-{slot.starts:03}"

    def kill(self, slot: Slot) -> None:
        """See `Fleet`."""
        moment = time.time()
        super().kill(slot)
        self._fell(slot, moment)

    def _ended(self, slot: Slot, status: int) -> None:
        super()._ended(slot, status)
        if slot.fallen:
            self._fell(slot, None)

    def _fell(self, slot: Slot, moment: float | None) -> None:
        seen = gauge.read(self.gauge_of(slot), COMMIT_SECONDS, moment)
        self.falls.append(Fall(time.time(), seen.flying, seen.just, seen.uncommitted))

    def readings(self) -> dict[Path, gauge.Reading]:
        """The gauges of all that run."""
        files = [self.gauge_of(slot) for slot in self.slots if slot.running]
        now = time.time()
        return {file: gauge.read(file, COMMIT_SECONDS, now) for file in files}

    def owned(self) -> set[int]:
        """See `Fleet`: which ones they are is not told, only how many."""
        return set(range(sum(_newest(slot) for slot in self.slots if slot.running)))

    def waiting(self) -> int | None:
        """See `Fleet`: jobs that are not read, wait in a delay topic or in memory, or are under way."""
        running = [slot for slot in self.slots if slot.running]
        texts = [text for slot in running if (text := ask(slot, "/metrics")[1])]
        series = [Series(text) for text in texts]
        if len(texts) < len(running) or sum(len([*one.values("lag_records")]) for one in series) < self.partitions:
            return None
        return round(sum(value for one in series for name in _WAITING for value in one.values(name)))

    @property
    def partitions(self) -> int:
        """Of the delivery topic."""
        return self.site.settings.partitions

    def mishaps(self) -> list[str]:
        """What the logs of all senders tell of places lost."""
        return [
            f"{log.stem}: {line.strip()}"
            for log in sorted(self.site.logs.glob("sender-*.log"))
            for line in log.read_text(errors="replace").splitlines()
            if _MISHAPS.search(line)
        ]


def _newest(slot: Slot) -> int:
    found = [match[1] for line in slot.told() if (match := _ASSIGNED.search(line))]
    return int(found[-1]) if found else 0
