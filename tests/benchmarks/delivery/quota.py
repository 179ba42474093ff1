"""A part of a core for each process, by the control groups of Linux. It takes root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.stand import Broken

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 20_000


class Quota:
    """Gives each process that it is told of a group of its own, with `percent` of a core."""

    def __init__(self, folder: Path, percent: float) -> None:
        self._folder, self._microseconds = folder, round(PERIOD_US * percent / 100)
        self._groups: dict[int, Path] = {}

    def limit(self, pid: int) -> None:
        """From now on; its threads included, and what it starts."""
        if pid in self._groups:
            return
        group = self._folder.with_name(f"{self._folder.name}-{pid}")
        group.mkdir()
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{self._microseconds} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(self._microseconds))
        self._groups[pid] = group
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Take the groups away; whoever is left in one is moved out of it."""
        for group in self._groups.values():
            for pid in (group / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    (group.parent / "cgroup.procs").write_text(pid)
            group.rmdir()


@contextmanager
def quota(percent: float) -> Iterator[Quota]:
    """Raises Broken where there are no control groups that we may make."""
    parent = ROOT / "cpu" if (ROOT / "cpu").is_dir() else ROOT
    made = Quota(parent / f"ringback-{os.getpid()}", percent)
    try:
        yield made
    except OSError as error:
        raise Broken(f"no control groups: {error}") from error
    finally:
        made.close()
