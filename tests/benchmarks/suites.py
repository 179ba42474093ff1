"""The suites: what is run, in which order. Each gives its runs, and prints every one as it comes.

Contestants and variations take turns, round by round, so that a noisy minute meets all of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import latency, memory, vocabulary
from tests.benchmarks.conduct import Runs, Suite
from tests.benchmarks.contest import Task, contest
from tests.benchmarks.stand import Broken

CODECS = ("zstd", "lz4", "snappy", "none")
STOCK = frozenset({"stock", "stock-tuned"})
#: They take so many times longer, and get so many records less.
STOCK_SHARE = 4
#: Of the jobs of the suite `processes`: by then both have joined, and none has run out yet.
MIDDLE = (0.4, 0.9)


def race(arguments: argparse.Namespace) -> Runs:
    """All contestants on the same task. Raises Broken when their jobs are not the same: those of the records that the
    stock agents get too, and among the others all.
    """
    shared = arguments.records // STOCK_SHARE
    checksums: dict[int, str] = {}
    for _ in range(arguments.rounds):
        for name in arguments.only:
            records = shared if name in STOCK else arguments.records
            task = Task(records, arguments.codec, devices=arguments.devices, shared=shared)
            measured = contest(name, task)
            for size, checksum in ((records, measured["checksum"]), (shared, measured["shared"])):
                if checksums.setdefault(size, checksum) != checksum:
                    raise Broken(f"{name} has decided other jobs than the others")
            yield {"suite": "race", "what": {"contestant": name}, "measured": measured}


def full(arguments: argparse.Namespace) -> Runs:
    """The worker with and without user ids in the payments: with one stage to do, and with two."""
    for _ in range(arguments.rounds):
        for kind in ("plain", "full"):
            task = Task(arguments.records, arguments.codec, kind, arguments.devices)
            yield {"suite": "full", "what": {"workload": kind}, "measured": contest("worker", task)}


def codecs(arguments: argparse.Namespace) -> Runs:
    """The worker and the floor with every codec that users have."""
    for _ in range(arguments.rounds):
        for codec in CODECS:
            for name in ("worker", "floor"):
                task = Task(arguments.records, codec, devices=arguments.devices)
                yield {"suite": "codecs", "what": {"codec": codec, "contestant": name}, "measured": contest(name, task)}


def postbacks(arguments: argparse.Namespace) -> Runs:
    """The whole vocabulary, with one postback, ten and fifty."""
    for _ in range(arguments.rounds):
        for number in (1, 10, 50):
            measured = vocabulary.measure(arguments.records // 2, number, arguments.codec, arguments.devices)
            yield {"suite": "postbacks", "what": {"postbacks": number}, "measured": measured}


def devices(arguments: argparse.Namespace) -> Runs:
    """Payments of few devices and of many. Each device has had its install before."""
    for _ in range(arguments.rounds):
        for number in arguments.sizes:
            task = Task(arguments.records, arguments.codec, devices=number)
            yield {"suite": "devices", "what": {"devices": number}, "measured": contest("worker", task)}


def processes(arguments: argparse.Namespace) -> Runs:
    """One worker and two, with twice the records so that both are there for most of them."""
    for _ in range(arguments.rounds):
        for number in (1, 2):
            task = Task(arguments.records * 2, arguments.codec, devices=arguments.devices, processes=number)
            measured = contest("worker", task, *MIDDLE)
            yield {"suite": "processes", "what": {"processes": number}, "measured": measured}


def latencies(arguments: argparse.Namespace) -> Runs:
    """From a record's append to its job's, at a steady load."""
    for codec in arguments.latency_codecs:
        for kind in ("plain", "full"):
            for found in latency.measure(kind, latency.RATES, arguments.seconds, codec, arguments.devices):
                what = {name: found[name] for name in ("workload", "codec", "rate")}
                measured = found["latency"] | {f"cpu_{name}": value for name, value in found["cpu"].items()}
                yield {"suite": "latency", "what": what, "measured": measured | {"late_ms": found["late_ms"]}}


def memories(arguments: argparse.Namespace) -> Runs:
    """Worker and sender with a backlog before them."""
    for name, sizes in memory.measure(arguments.backlog, arguments.codec, arguments.watched):
        for tenth, size in enumerate(sizes):
            yield {"suite": "memory", "what": {"process": name, "tenth": tenth}, "measured": {"resident": size}}


def recovery(arguments: argparse.Namespace) -> Runs:
    """Reading a changelog back."""
    found = _other("recovery", "--devices", str(arguments.changelog), "--codec", arguments.codec)
    for partitions, rates in found.get("records_per_second", {}).items():
        for rate in rates:
            measured = {"rate": rate, "resident": found["peak_mib"]}
            yield {"suite": "recovery", "what": {"partitions": int(partitions)}, "measured": measured}


def scale(arguments: argparse.Namespace) -> Runs:
    """Recovery of very many devices, and payments of theirs, by one worker."""
    found = _other("scale", "--devices", str(arguments.scale), "--records", str(arguments.records))
    for part in ("recovery", "traffic"):
        if part in found:
            measured = {"rate": found[part]["records_per_second"], "resident": found[part]["peak_mib"]}
            yield {"suite": "scale", "what": {"devices": found["devices"], "part": part}, "measured": measured}


def _other(module: str, *arguments: str) -> dict[str, Any]:
    """What another benchmark writes into its JSON file; it prints by itself. Nothing when there is no such module."""
    name = f"tests.benchmarks.{module}"
    if importlib.util.find_spec(name) is None:
        print(f"there is no {name}", flush=True)
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        subprocess.run([sys.executable, "-m", name, *arguments, "--json", str(path)], check=True)
        found: dict[str, Any] = json.loads(path.read_text())
        return found


SUITES: dict[str, Suite] = {
    "race": race,
    "full": full,
    "latency": latencies,
    "postbacks": postbacks,
    "processes": processes,
    "codecs": codecs,
    "devices": devices,
    "memory": memories,
    "recovery": recovery,
    "scale": scale,
}
#: What `make bench` runs: less than 20 minutes on two quiet cores.
DEFAULT = ("race", "full", "latency", "postbacks", "processes")
