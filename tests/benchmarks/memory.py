"""Memory while a million records wait: the worker before a backlog of events, the sender before a backlog of jobs.

`python -m tests.benchmarks.memory`. Prints the resident memory of the process at every tenth of the way; flat is what
it should be. The sender's partner hangs, so that the jobs keep waiting for as long as it is watched.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

from streams.local.guarded import GuardedProcess
from tests.benchmarks import machine, stand
from tests.benchmarks.stand import Broken, Stand
from tests.benchmarks.workload import CONFIG, PARTITIONS, feed

RECORDS = 1_000_000
SECONDS = 120.0
DEADLINE_SECONDS = 1_800
TENTHS = 10


def watch(name: str, process: GuardedProcess, share: Callable[[], float]) -> list[float]:
    """Print and return the MiB at every tenth of the way, beginning and end included. Raises Broken."""
    sizes: list[float] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(sizes) <= TENTHS:
        if not process.running or time.monotonic() > deadline:
            raise Broken(process.log_tail())
        if share() >= len(sizes) / TENTHS:
            sizes.append(machine.resident(process))
            print(f"{name:8}{len(sizes) * 10 - 10:4} %{sizes[-1]:8.0f} MiB", flush=True)
        time.sleep(stand.LOOK_SECONDS)
    return sizes


def measure(records: int, codec: str, seconds: float) -> Iterator[tuple[str, list[float]]]:
    """Of worker, then sender: its name, and MiB at every tenth of the way."""
    with stand.stand(PARTITIONS, compression=codec, sender_metrics_port=0, egress_allow=("127.0.0.0/8",)) as on:
        partner = on.start("--answer", "/", '{"ending": "hang"}', module="streams.local.partner")
        while not partner.output():
            time.sleep(stand.LOOK_SECONDS)
        configure(on, partner.output().split()[0].rstrip("/"))
        feed(on.bootstrap, records, codec)
        worker = on.start("worker")
        jobs = stand.consumer(on.bootstrap, on.delivery)
        yield "worker", watch("worker", worker, lambda: stand.written(jobs) / records)
        jobs.close()
        worker.kill()
        sender = on.start("sender")
        began = time.monotonic()
        yield "sender", watch("sender", sender, lambda: (time.monotonic() - began) / seconds)


def configure(on: Stand, partner: str) -> None:
    """The usual configuration, with this partner's address."""
    own = on.folder / "bench.yaml"
    own.write_text((CONFIG / "bench.yaml").read_text().replace("https://postback.example.com", partner))
    on.configure(own)


def main() -> None:
    """Worker, then sender."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--codec", default="zstd")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long the sender is watched")
    arguments = parser.parse_args()
    for _ in measure(arguments.records, arguments.codec, arguments.seconds):
        pass


if __name__ == "__main__":
    main()
