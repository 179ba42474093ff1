"""One contestant through one input, on a broker of its own: how fast, and with how much of the processor.

Every contestant finds the same records waiting. Its rate is that of the jobs' append times, as the broker stamped them;
its start does not count. Processor time is that of its whole process tree, without the broker.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.local.guarded import GuardedProcess
from tests.benchmarks import figures, machine, progress, stand, workload
from tests.benchmarks.common import INPUT
from tests.benchmarks.quix import environment
from tests.benchmarks.stand import Stand
from tests.benchmarks.workload import CONFIG, DEVICES, PARTITIONS
from tests.support.processes import environment as variables

#: What is made for a contestant that is no worker.
OUTPUTS = ("users", "decisions", "dead-letters", "report")


@dataclass(frozen=True)
class Task:
    """The input, and how it is kept. `processes` and `configuration` are for the worker only. `shared`: so many first
    payments have a checksum of their own, to be compared with whoever is given no more than these.
    """

    records: int
    codec: str = "zstd"
    workload: str = "plain"
    devices: int = DEVICES
    processes: int = 1
    configuration: Path = CONFIG
    shared: int = 0


@dataclass
class Samples:
    """Taken while a contestant works: jobs written, seconds of processor it and the broker have used, its memory."""

    written: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    broker: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)

    def take(self, written: int, processes: Sequence[GuardedProcess], broker: GuardedProcess) -> None:
        """One more."""
        self.written.append(written)
        self.own.append(sum(machine.cpu_seconds(one) for one in processes))
        self.broker.append(machine.cpu_seconds(broker))
        self.resident.append(max(machine.resident(one) for one in processes))

    def per_100_000(self, values: list[float], begin: float, end: float) -> float | None:
        """Seconds for 100,000 jobs, between these numbers of jobs."""
        found = figures.used(list(zip(self.written, values, strict=True)), begin, end)
        return None if found is None else found * 100_000


Launch = Callable[[Stand, Task, str], Sequence[GuardedProcess]]


def worker(on: Stand, task: Task, _name: str) -> list[GuardedProcess]:
    """Ringback's worker, or several, each with a state directory of its own."""
    on.configure(task.configuration)
    workload.feed(on.bootstrap, task.records, task.codec, task.devices, task.workload)
    folders = [on.settings.state_dir / str(number) for number in range(task.processes)]
    return [on.start("worker", with_settings=on.settings.model_copy(update={"state_dir": one})) for one in folders]


def _outputs(on: Stand, task: Task) -> Path:
    """The topics of the others, the input, and a folder for the state."""
    workload.create(on.bootstrap, on.delivery, config=workload.APPENDED)
    workload.create(on.bootstrap, *(f"{on.settings.topic_prefix}{name}" for name in OUTPUTS))
    workload.create(on.bootstrap, f"{on.settings.topic_prefix}changelog", compact=True)
    workload.create(on.bootstrap, INPUT, config=workload.APPENDED)
    workload.fill(on.bootstrap, INPUT, workload.installs(task.devices), task.codec)
    source = workload.payments(task.devices, task.records, task.workload)
    workload.fill(on.bootstrap, INPUT, source, task.codec)
    folder = on.folder / "peer"
    folder.mkdir()
    return folder


def _module(module: str, *arguments: str) -> Launch:
    def launch(on: Stand, task: Task, name: str) -> list[GuardedProcess]:
        given = (on.bootstrap, on.settings.topic_prefix, task.codec, str(_outputs(on, task)))
        return [on.start(*given, *arguments, module=module)]

    return launch


def _quix(guarantee: str) -> Launch:
    def launch(on: Stand, task: Task, name: str) -> list[GuardedProcess]:
        python = environment.python()
        given = (on.bootstrap, on.settings.topic_prefix, task.codec, str(_outputs(on, task)))
        command = [str(python), "-m", "tests.benchmarks.quix.contestant", *given, guarantee]
        return [GuardedProcess(command, on.folder / f"{name}.log", variables(on.settings))]

    return launch


CONTESTANTS: dict[str, Launch] = {
    "worker": worker,
    "stock": _module("tests.benchmarks.stock", "plain"),
    "stock-tuned": _module("tests.benchmarks.stock", "tuned"),
    "quix": _quix("at-least-once"),
    "quix-eos": _quix("exactly-once"),
    "floor": _module("tests.benchmarks.floor", "transactions"),
    "floor-plain": _module("tests.benchmarks.floor", "plain"),
}


def contest(name: str, task: Task, begin: float = 0.0, end: float = 1.0) -> dict[str, Any]:
    """Let a contestant do a task of which each payment gives one job; what was measured between two shares of the jobs.

    `rate`: jobs a second; `cpu`, `broker`: seconds of processor for 100,000 jobs; `resident`: MiB of the largest
    process at most; `state`: MiB on disk; `others`: what else the machine did, in % of a core. With user ids it is over
    when the user stage is through, too.
    """
    with stand.stand(PARTITIONS, compression=task.codec, log_level="warning") as on:
        processes = CONTESTANTS[name](on, task, name)
        users = progress.Consumed(on) if task.workload == "full" else None
        samples, others = watch(on, processes, lambda written: written >= task.records and (not users or users()))
        jobs = list(stand.read(on.bootstrap, on.delivery, task.records, stand.watching(*processes)))
        times = sorted(job.timestamp()[1] for job in jobs)
        if users:
            users.close()
            end, times[-1] = math.inf, max(times[-1], progress.last_write(on))
        return {
            "rate": figures.rate(times, begin, min(end, 1.0)) * 1000,
            "cpu": samples.per_100_000(samples.own, begin * task.records, end * task.records),
            "broker": samples.per_100_000(samples.broker, begin * task.records, end * task.records),
            "resident": max(samples.resident),
            "state": size(on.folder),
            "others": others,
            "checksum": checksum(job.value() or b"" for job in jobs),
            "shared": checksum((job.value() or b"" for job in jobs), task.shared),
        }


def checksum(jobs: Iterable[bytes], first: float = math.inf) -> str:
    """Of the ids of the jobs of the `first` payments, in whatever order they lie: the same input gives the same jobs,
    whoever decides. Raises Broken when a job is there twice.
    """
    decoded = map(stand.decode_job, jobs)
    ids = [job.job_id for job in decoded if workload.number(job.record_id) < first]
    if len(set(ids)) < len(ids):
        raise stand.Broken(f"{len(ids) - len(set(ids))} jobs are there twice")
    return hashlib.sha256("".join(sorted(ids)).encode()).hexdigest()[:16]


def watch(on: Stand, processes: Sequence[GuardedProcess], finished: Callable[[int], bool]) -> tuple[Samples, float]:
    """Take samples until `finished` says so of the number of jobs; them, and what others used, in % of a core.

    Raises Broken.
    """
    alive, samples = stand.watching(*processes), Samples()
    window = machine.Window({str(number): one for number, one in enumerate([on.broker_process, *processes])})
    consumer = stand.consumer(on.bootstrap, on.delivery, PARTITIONS, committed=False)
    deadline = time.monotonic() + stand.DEADLINE_SECONDS
    try:
        while True:
            samples.take(stand.written(consumer), processes, on.broker_process)
            if finished(samples.written[-1]):
                return samples, window.close()["others"]
            problem = alive()
            if problem or time.monotonic() > deadline:
                raise stand.Broken(problem or f"{samples.written[-1]} jobs after {stand.DEADLINE_SECONDS:.0f} s")
            time.sleep(stand.LOOK_SECONDS)
    finally:
        consumer.close()


def size(folder: Path) -> float:
    """MiB of the states that lie there."""
    files = (one for name in ("state", "peer") for one in (folder / name).rglob("*"))
    return sum(one.stat().st_size for one in files if one.is_file()) / machine.MIB
