"""The workers of a torture run, one in each slot, each with a state directory that outlives it."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from streams import kafka
from streams.demo.progress import Series
from streams.errors import Stop
from streams.faults import VARIABLE
from streams.local import probing
from streams.local.guarded import GuardedProcess
from streams.torture.site import Site

KILLED = 137
PROBES = re.compile(r"probes: (http://[^/\s]+)/")
ASK_SECONDS = 3.0
END_SECONDS = 40.0
#: A worker that ends so often by itself without having been ready in between is in a restart loop.
LOOP = 6


@dataclass
class Slot:
    """`fault`: the fault point of the running process, as its variable says it. `fallen`: it has died there, or was
    killed, and waits to be started again.
    """

    number: int
    state: Path
    process: GuardedProcess | None = None
    fault: str = ""
    begun: float = 0.0
    ready: bool = False
    paused: bool = False
    fallen: bool = False
    ended_in_a_row: int = 0
    starts: int = 0

    @property
    def running(self) -> bool:
        """There is a process, and it does not stand still."""
        return self.process is not None and self.process.running and not self.paused

    def told(self) -> list[str]:
        """The lines of the log of the process."""
        return self.process.output().splitlines() if self.process else []


@dataclass
class Fleet:
    """All slots. Used by one thread; nothing waits but what says so. `what`: the word for those in them."""

    what: ClassVar[str] = "worker"
    site: Site
    slots: list[Slot] = field(default_factory=list)
    #: By exit status, of workers that nobody ended.
    ended: Counter[int] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)

    def slot(self, number: int) -> Slot:
        """The slot of this number, made when it is new."""
        while len(self.slots) <= number:
            self.slots.append(Slot(len(self.slots), self.site.folder / f"state-{len(self.slots)}"))
        return self.slots[number]

    def start(self, slot: Slot, fault: str = "") -> None:
        """One that dies at `fault`, if it is given."""
        slot.starts += 1
        name = f"{self.what}-{slot.number}-{slot.starts:03}"
        slot.process = self.launched(slot, name, {VARIABLE: fault} if fault else {})
        slot.fault, slot.begun, slot.ready, slot.paused, slot.fallen = fault, time.monotonic(), False, False, False

    def launched(self, slot: Slot, name: str, more: Mapping[str, str]) -> GuardedProcess:
        """Its process, started with `more` variables."""
        return self.site.start(name, "streams.cli.main", "worker", state=slot.state, **more)

    def kill(self, slot: Slot) -> None:
        """SIGKILL from outside."""
        if slot.process is not None:
            slot.process.kill()
        slot.fallen, slot.ready, slot.paused = True, False, False

    def stop(self, slots: Sequence[Slot]) -> list[int]:
        """End them in order, all at once; their exit statuses. Blocks for seconds."""
        ending = [slot for slot in slots if slot.process is not None]
        for slot in ending:
            assert slot.process is not None
            slot.process.terminate()
        statuses = [slot.process.end(END_SECONDS) for slot in ending if slot.process is not None]
        for slot in ending:
            slot.process, slot.ready, slot.fault = None, False, ""
        return statuses

    def pause(self, slot: Slot) -> None:
        """SIGSTOP."""
        assert slot.process is not None
        slot.process.pause()
        slot.paused = True

    def resume(self, slot: Slot) -> None:
        """SIGCONT."""
        assert slot.process is not None
        slot.process.resume()
        slot.paused = False

    def wipe(self, slot: Slot) -> None:
        """Its state directory is gone."""
        shutil.rmtree(slot.state, ignore_errors=True)

    def tend(self) -> None:
        """What a supervisor does: start again who has ended by itself, unless that was meant to happen. Raises `Stop`
        for a restart loop.
        """
        for slot in self.slots:
            if slot.process is None or slot.fallen:
                continue
            status = slot.process.exit_code
            if status is not None:
                self._ended(slot, status)
            elif not slot.ready and not slot.paused and self._is_ready(slot):
                slot.ready, slot.ended_in_a_row = True, 0
                self.recoveries.append(time.monotonic() - slot.begun)

    def _ended(self, slot: Slot, status: int) -> None:
        if slot.fault and status == KILLED:
            slot.fallen, slot.ready = True, False
            return
        self.ended[status] += 1
        slot.ended_in_a_row += 1
        if slot.ended_in_a_row > LOOP:
            assert slot.process is not None
            self.loops.append(f"{self.what} {slot.number}, status {status}")
            raise Stop(
                f"{self.what} {slot.number} ends again and again, with status {status}:\n{slot.process.log_tail()}",
                f"the logs of all {self.what}s lie in {self.site.logs}",
            )
        self.start(slot, slot.fault)

    def owned(self) -> set[int]:
        """Partitions (of the device stage) that those who run were assigned at last."""
        return {number for slot in self.slots if slot.running for number in owns(slot)}

    def all_ready(self) -> bool:
        """Every one there is is ready, and all partitions are somebody's."""
        self.tend()
        there = [slot for slot in self.slots if slot.running]
        partitions = set(range(self.site.settings.partitions))
        return all(self._is_ready(slot) for slot in there) and self.owned() == partitions

    def unready(self) -> list[str]:
        """Who is not ready, and why."""
        told = (
            f"{self.what} {slot.number}: {ask(slot, '/readyz')[1] or 'no answer'}"
            for slot in self.slots
            if slot.running
        )
        missing = sorted(set(range(self.site.settings.partitions)) - self.owned())
        return [*(one for one in told if '"ready": true' not in one), *([f"nobody has {missing}"] if missing else [])]

    def waiting(self) -> int | None:
        """Records that wait in any input of both stages, and records held; None: that is not known for all of them."""
        series = [Series(text) for slot in self.slots if slot.running for text in [ask(slot, "/metrics")[1]] if text]
        lag = [value for one in series for value in one.values("lag_records")]
        partitions = self.site.settings.partitions
        if len(lag) != 2 * partitions + kafka.users_partitions(partitions):
            return None
        return round(sum(lag) + sum(value for one in series for value in one.values("records_held")))

    def _is_ready(self, slot: Slot) -> bool:
        return ask(slot, "/readyz")[0] == 200

    def end(self) -> None:
        """End whoever is left; who stands still is killed. Blocks for seconds."""
        for slot in self.slots:
            if slot.process is not None and slot.paused:
                slot.process.kill()
        self.site.quit([slot.process for slot in self.slots if slot.process is not None and not slot.paused])


def owns(slot: Slot) -> set[int]:
    """The partitions of the newest assignment that its log tells of."""
    lines = [line for line in slot.told() if "assigned partitions: " in line]
    if not lines:
        return set()
    return {int(one) for one in re.findall(r"\d+", lines[-1].split("assigned partitions: ")[1].split("[")[0])}


def ask(slot: Slot, path: str) -> tuple[int, str]:
    """Status and text of what a worker answers at `path`; 0 when it does not."""
    found = next((match[1] for line in slot.told() if (match := PROBES.search(line))), "")
    if not found or not slot.running:
        return 0, ""
    return probing.ask(found, path, ASK_SECONDS)
