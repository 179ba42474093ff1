"""How long a record waits for its job, under a steady load: `python -m tests.benchmarks.latency --rate 1000`.

The worker runs with default settings. A process of its own sends payments of known devices, evenly spaced; the input
topics and the delivery topic carry the broker's append times, and a record is matched with its job by its id. So the
latency is from the record's append to its job's append, by one clock; the commit that makes the job visible comes a few
milliseconds behind it and is not part of it. Topics are read when the load is over, so that reading does not disturb.
The first seconds are not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from streams.local.guarded import GuardedProcess
from tests.benchmarks import figures, machine
from tests.benchmarks.stand import Broken, Stand, await_written, decode_job, decode_record, read, stand, watching
from tests.benchmarks.workload import DEVICES, WORKLOADS, feed

RATES = (1_000, 5_000)
SECONDS = 30.0
#: Not counted.
LEAD_IN = 5.0
PARTITIONS = 8


class Bed:
    """A worker that has caught up, and how many payments it was given so far."""

    def __init__(self, on: Stand, worker: GuardedProcess, workload: str, codec: str) -> None:
        self.on, self.worker, self.workload, self.codec = on, worker, workload, codec
        self.alive = watching(worker)
        self.sent = 0

    def warm_up(self, devices: int) -> None:
        """Wait until one payment of each device, which were there before the worker, has its job."""
        self.sent = devices
        await_written(self.on.bootstrap, self.on.delivery, devices, self.alive, PARTITIONS)
        for _ in read(self.on.bootstrap, self.on.delivery, devices, self.alive, PARTITIONS):
            pass

    def load(self, rate: float, seconds: float, devices: int) -> dict[str, Any]:
        """A steady load and what became of it: latencies in ms, CPU in % of a core."""
        if seconds <= LEAD_IN:
            raise ValueError(f"{seconds} s are not more than the {LEAD_IN} s that are not counted")
        command = [sys.executable, "-m", "tests.benchmarks.load", self.on.bootstrap, str(rate), str(seconds)]
        command += ["--workload", self.workload, "--devices", str(devices), "--first", str(self.sent)]
        command += ["--partitions", str(PARTITIONS), "--codec", self.codec]
        log = self.on.folder / f"load-{self.sent}.log"
        load = GuardedProcess(command, log)
        while "started" not in load.output():
            if not load.running:
                raise Broken(load.log_tail())
            time.sleep(0.01)
        time.sleep(LEAD_IN)
        begin = time.time() * 1000
        window = machine.Window({"worker": self.worker, "broker": self.on.broker_process, "load": load})
        time.sleep(seconds - LEAD_IN - 0.1)
        cpu = window.close()
        end = time.time() * 1000
        if load.wait(seconds + 60):
            raise Broken(load.log_tail())
        sent = int(rate * seconds)
        self.sent += sent
        waits = self._waits(begin, end)
        return {
            "workload": self.workload,
            "codec": self.codec,
            "rate": rate,
            "records": len(waits),
            "latency": figures.percentiles(waits),
            "cpu": cpu,
            "late_ms": int(load.output().split()[-1]),
        }

    def _waits(self, begin: float, end: float) -> list[int]:
        """Milliseconds from append to append, of the records appended in between. Waits for all jobs."""
        bootstrap = self.on.bootstrap
        await_written(bootstrap, self.on.delivery, self.sent, self.alive, PARTITIONS)
        jobs = read(bootstrap, self.on.delivery, self.sent, self.alive, PARTITIONS)
        decided = {decode_job(job.value() or b"").record_id: job.timestamp()[1] for job in jobs}
        records = read(bootstrap, "events", self.sent, self.alive, PARTITIONS)
        appended = ((decode_record(record.value() or b"").id, record.timestamp()[1]) for record in records)
        return [decided[number] - at for number, at in appended if begin <= at <= end]


def measure(
    workload: str,
    rates: tuple[float, ...],
    seconds: float = SECONDS,
    codec: str = "zstd",
    devices: int = DEVICES,
    **settings: object,
) -> list[dict[str, Any]]:
    """One worker under each rate in turn; a result each, printed as it comes."""
    results = []
    with stand(PARTITIONS, compression=codec, **settings) as on:
        on.configure()
        feed(on.bootstrap, devices, codec, devices, workload, PARTITIONS)
        bed = Bed(on, on.start("worker"), workload, codec)
        bed.warm_up(devices)
        for rate in rates:
            results.append(bed.load(rate, seconds, devices))
            print(line(results[-1]), flush=True)
    return results


def line(result: dict[str, Any]) -> str:
    """A result for the eye."""
    latency = "  ".join(f"{name} {value:.0f}" for name, value in result["latency"].items())
    cpu = result["cpu"]
    text = (
        f"{result['workload']:6}{result['codec']:7}{result['rate']:>7,.0f}/s  {latency} ms  |  CPU % of a core: "
        f"worker {cpu['worker']:.0f}, broker {cpu['broker']:.0f}, load {cpu['load']:.0f}, others {cpu['others']:.0f}"
    )
    return text + (f"  (load up to {result['late_ms']} ms late)" if result["late_ms"] > 50 else "")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, nargs="+", default=list(RATES), help="records per second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"the first {LEAD_IN:.0f} are not counted")
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--codec", nargs="+", default=["zstd"])
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    for codec in arguments.codec:
        for workload in arguments.workload:
            results += measure(workload, tuple(arguments.rate), arguments.seconds, codec, arguments.devices)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine.described(), "latency": results}, indent=2))


if __name__ == "__main__":
    main()
