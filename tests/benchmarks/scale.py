"""A worker with millions of devices: `python -m tests.benchmarks.scale`.

The changelog of so many devices is written (see `recovery.rows`: 400 bytes a state, realistic ones), and read back by a
worker as users start it, with default settings. Then it gets payments of devices at random, as fast as it takes them.
Told are the rate of the recovery, that of the traffic, and the resident memory of the process meanwhile: its largest
must stay below 1 GiB, whatever the number of devices.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.benchmarks import recovery, workload
from tests.benchmarks.recovery import MIB
from tests.support.processes import Start, starting
from tests.support.waiting import eventually

LOOK_S = 0.25
DEADLINE_S = 3_600.0
READY = re.compile(r"(?<!user )partition \d+: ready after [\d.]+ s, (\d+) changelog records read")


class Memory:
    """The resident memory of a command, looked at all the time: its largest in MiB since it was asked last."""

    def __init__(self, process: GuardedProcess) -> None:
        self._guard = psutil.Process(process.guard_pid)
        self._largest = 0
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def largest(self) -> int:
        """In MiB, since the last call."""
        found, self._largest = self._largest, 0
        return found // MIB

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        with contextlib.suppress(psutil.Error):
            while not self._over.wait(LOOK_S):
                sizes = [child.memory_info().rss for child in self._guard.children(recursive=True)]
                self._largest = max(self._largest, *sizes, 0)


def payments(devices: int, records: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Of devices at random, now."""
    dice, now = random.Random(1), int(time.time())
    for number in range(records):
        device = workload._device(dice.randrange(devices))
        yield (
            device,
            {
                "id": f"s-{number}",
                "event_name": "payment",
                "event_timestamp": now,
                "app_id": workload.APP,
                "platform": "android",
                "google_aid": device,
                "revenue": number % 5000 / 100,
                "currency": "USD",
            },
        )


def run(settings: Settings, start: Start, devices: int, records: int) -> dict[str, object]:
    """Everything, on a broker that has none of it yet. Raises AssertionError when the worker does not get there."""
    for command in (("apply", str(workload.CONFIG)), ("topics", "create")):
        process = start(*command)
        if process.wait(120):
            raise AssertionError(process.log_tail())
    begun = time.monotonic()
    size = recovery.fill(settings, devices, settings.partitions)
    print(f"{devices:,} rows of {size / devices:.0f} bytes written in {time.monotonic() - begun:.0f} s", flush=True)
    worker = start("worker")
    memory = Memory(worker)
    begun = eventually(lambda: "assigned partitions" in worker.output() and time.monotonic(), within=120)
    eventually(lambda: readings(worker, "ready") == 1, within=DEADLINE_S, every=LOOK_S, what=worker.log_tail())
    seconds = time.monotonic() - begun
    read = sum(map(int, READY.findall(worker.output())))
    recovered = {"seconds": seconds, "records_per_second": read / seconds, "peak_mib": memory.largest()}
    print(f"recovered {read:,} records in {seconds:.1f} s: {recovered}", flush=True)
    begun = time.monotonic()
    workload.fill(settings.bootstrap_servers, "events", payments(devices, records), "zstd", settings.partitions)
    eventually(lambda: processed(worker) >= records, within=DEADLINE_S, every=LOOK_S, what="the payments processed")
    seconds = time.monotonic() - begun
    traffic = {"seconds": seconds, "records_per_second": records / seconds, "peak_mib": memory.largest()}
    print(f"processed {records:,} payments in {seconds:.1f} s: {traffic}", flush=True)
    memory.stop()
    worker.kill()
    return {"devices": devices, "partitions": settings.partitions, "recovery": recovered, "traffic": traffic}


def readings(worker: GuardedProcess, name: str, matches: Callable[[str], bool] = lambda labels: True) -> float:
    """The sum of a metric of the worker; 0 while it does not answer."""
    line = next((line for line in worker.output().splitlines() if "probes: http" in line), "")
    url = re.sub(r".*(http://\S+)/readyz.*", r"\1/metrics", line)
    with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
        found = [line.rpartition(" ") for line in lines if re.match(rf"ringback_{name}[ {{]", line)]
        return sum(float(value) for labels, _, value in found if matches(labels))
    return 0.0


def processed(worker: GuardedProcess) -> float:
    """Payments that were applied."""
    return readings(worker, "records_total", lambda labels: '"events"' in labels)


def main() -> None:
    """Print what was measured, and whether the memory stayed below a GiB."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            partitions=arguments.partitions,
            state_dir=Path(folder) / "state",
            metrics_host="127.0.0.1",
            metrics_port=0,
        )
        with starting(settings, Path(folder)) as start:
            found = run(settings, start, arguments.devices, arguments.records)
    peak = max(int(found[part]["peak_mib"]) for part in ("recovery", "traffic"))  # type: ignore[index]
    print(f"peak {peak} MiB: {'below' if peak < 1024 else 'NOT BELOW'} 1 GiB")
    if arguments.json:
        arguments.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
