"""What the figures were measured on, and who used how much of it meanwhile."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from streams.local.guarded import GuardedProcess

PACKAGES = ("ringback", "confluent-kafka", "faust-streaming", "aiokafka", "rocksdict", "msgspec")
MIB = 2**20


def described() -> dict[str, Any]:
    """The machine, the versions and the revision, for the JSON file."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "revision": revision(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def revision() -> str:
    """The commit of the sources, with a plus where they were changed; `unknown` outside of a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def tree(process: GuardedProcess) -> list[psutil.Process]:
    """The command and all of its children, without its guard."""
    try:
        return psutil.Process(process.guard_pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(process: GuardedProcess) -> float:
    """What the command and its children have used so far, user and system."""
    total = 0.0
    for one in tree(process):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident(process: GuardedProcess) -> float:
    """MiB of the command and its children."""
    total = 0
    for one in tree(process):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / MIB


class Window:
    """From its making to `close`: what each process used of a core, in %, and what everybody else on the machine did
    (`others`).
    """

    def __init__(self, processes: Mapping[str, GuardedProcess]) -> None:
        self._processes = dict(processes)
        self._own = psutil.Process()
        self._before, self._busy, self._began = self._used(), _busy(), time.monotonic()

    def close(self) -> dict[str, float]:
        """The percentages, `others` among them."""
        taken = time.monotonic() - self._began
        used = {name: value - self._before[name] for name, value in self._used().items()}
        busy = _busy() - self._busy
        others = max(0.0, busy - sum(used.values()))
        del used["own"]
        return {name: value / taken * 100 for name, value in (used | {"others": others}).items()}

    def _used(self) -> dict[str, float]:
        own = self._own.cpu_times()
        return {name: cpu_seconds(one) for name, one in self._processes.items()} | {"own": own.user + own.system}


def _busy() -> float:
    """Seconds that all cores have worked; what a hypervisor took away counts as others' work."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + getattr(times, "steal", 0.0))
