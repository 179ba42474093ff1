"""The processor time of event loops: of the first thread of each process of a command."""

from __future__ import annotations

import os
from pathlib import Path

from streams.local.guarded import GuardedProcess
from tests.benchmarks import machine


def used(stat: str, ticks: int) -> float:
    """Seconds, user and system, of a line of /proc/…/stat; the name of the command in it may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / ticks


def loop_seconds(process: GuardedProcess) -> float | None:
    """What the first threads of the command and its children have used so far. None where there is no /proc."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for one in machine.tree(process):
        try:
            total += used(Path(f"/proc/{one.pid}/task/{one.pid}/stat").read_text(), ticks)
        except FileNotFoundError:
            continue
    return total if Path("/proc/self/stat").exists() else None
