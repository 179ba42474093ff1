"""`make bench`: the suites, side by side in one run; a table for each, and a JSON file with every single figure."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks import conduct, latency, memory, suites, tables
from tests.benchmarks.contest import CONTESTANTS
from tests.benchmarks.workload import DEVICES


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    choices = (*suites.SUITES, "all")
    parser.add_argument("--suite", nargs="+", choices=choices, default=list(suites.DEFAULT), metavar="SUITE")
    parser.add_argument("--records", type=int, default=120_000, help="payments; the stock agents get a quarter of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--codec", default="zstd", choices=("none", "lz4", "zstd", "snappy", "gzip"))
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=CONTESTANTS, help="of the race")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of `devices`")
    parser.add_argument("--seconds", type=float, default=latency.SECONDS, help="of each load of `latency`")
    parser.add_argument("--latency-codecs", nargs="+", default=["zstd"])
    parser.add_argument("--backlog", type=int, default=memory.RECORDS, help="records, of `memory`")
    parser.add_argument("--watched", type=float, default=memory.SECONDS, help="seconds of the sender, of `memory`")
    parser.add_argument("--changelog", type=int, default=1_000_000, help="rows, of `recovery`")
    parser.add_argument("--scale", type=int, default=5_000_000, help="devices, of `scale`")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    return parser.parse_args()


def main() -> int:
    """Run, and print each suite's table when it is complete; 1 when one broke off."""
    arguments = parse()
    names = list(suites.SUITES) if "all" in arguments.suite else arguments.suite
    return conduct.conduct({name: suites.SUITES[name] for name in names}, tables.TABLES, arguments)


if __name__ == "__main__":
    sys.exit(main())
