"""What a worker has logged of its recoveries, and tells of them."""

from __future__ import annotations

import re

from streams.local.guarded import GuardedProcess
from tests.support.engine_bench import probe

READY = re.compile(r"((?:user )?partition \d+): ready after [\d.]+ s, (\d+) changelog records read")


def recovered(worker: GuardedProcess) -> dict[str, int]:
    """By partition: how many changelog records its newest recovery read."""
    return {unit: int(records) for unit, records in READY.findall(worker.output())}


def metric(worker: GuardedProcess, name: str) -> dict[str, float]:
    """A metric's value by its labels, as they are written; empty when it has none."""
    _, body = probe(worker, "/metrics")
    lines = [line.rpartition(" ") for line in body.splitlines() if line.startswith(f"ringback_{name}")]
    return {labels.removeprefix(f"ringback_{name}"): float(value) for labels, _, value in lines}
