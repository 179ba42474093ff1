"""How many processes this machine has room for."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 64
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores(quota: Path = QUOTA) -> int:
    """The processors that this process may use, at most 64: by its affinity, and by its control group's quota, which
    is all that a container sees of a limit.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        used, period = quota.read_text(encoding="ascii").split()
        allowed = count if used == "max" else round(int(used) / int(period))
    except (OSError, ValueError):
        allowed = count
    return max(1, min(count, allowed, MOST))
