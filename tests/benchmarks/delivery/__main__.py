"""`make bench-delivery`: the suites of the sender, a table for each, and a JSON file with every single figure."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks import conduct
from tests.benchmarks.conduct import Suite
from tests.benchmarks.delivery import backlog, delays, isolation, limits, scaling, speed, tables
from tests.benchmarks.delivery.behaviour import KINDS

SUITES: dict[str, Suite] = {
    "speed": speed.suite,
    "scaling": scaling.suite,
    "latency": speed.loads,
    "isolation": isolation.suite,
    "limits": limits.suite,
    "delay": delays.suite,
    "backlog": backlog.suite,
}
#: What `make bench-delivery` runs: less than an hour on two quiet cores.
DEFAULT = ("speed", "latency", "isolation", "limits")


def parse() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.delivery", description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=(*SUITES, "all"), default=list(DEFAULT), metavar="SUITE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("bench-delivery.json"))
    parser.add_argument("--partners", type=int, default=20, help="of `speed` and `latency`")
    racing = parser.add_argument_group("speed")
    racing.add_argument("--jobs", type=int, default=200_000)
    racing.add_argument("--only", nargs="+", default=list(speed.CONTESTANTS), choices=speed.CONTESTANTS)
    racing.add_argument("--latencies", type=int, nargs="+", default=[0, 50], help="ms until the target answers")
    racing.add_argument("--in-flight", type=int, nargs="+", default=[100, 1000], help="requests, for each latency")
    racing.add_argument("--no-post", action="store_true", help="only GET")
    scaled = parser.add_argument_group("scaling (as root, on Linux)")
    scaled.add_argument("--scaling-jobs", type=int, default=40_000)
    scaled.add_argument("--quota", type=float, default=25.0, help="of a core for each process, in percent")
    loaded = parser.add_argument_group("latency")
    loaded.add_argument("--rates", type=int, nargs="+", default=[500, 2_000], help="jobs per second")
    loaded.add_argument("--seconds", type=float, default=30.0, help="of each load; a fifth of it does not count")
    loaded.add_argument("--answer", type=int, default=0, help="ms until the target answers")
    _troubles(parser)
    return parser.parse_args()


def _troubles(parser: argparse.ArgumentParser) -> None:
    crowd = parser.add_argument_group("isolation")
    crowd.add_argument("--crowds", type=int, nargs="+", default=[20, 1_000], help="partners")
    crowd.add_argument("--hanging", type=int, nargs="+", default=[1, 50], help="of each crowd")
    crowd.add_argument("--trouble", choices=KINDS, default="hang", help="what those do that are to hang")
    crowd.add_argument("--paired", action="store_true", help="without and with at the same time, not in turn")
    crowd.add_argument("--load", type=float, default=1_500, help="jobs per second, in all")
    crowd.add_argument("--isolation-seconds", type=float, default=60.0, help="of load; the first 5 do not count")
    shared = parser.add_argument_group("limits")
    shared.add_argument("--shared-limit", type=float, default=50, help="requests per second")
    shared.add_argument("--limit-seconds", type=float, default=60.0)
    waiting = parser.add_argument_group("delay, backlog")
    waiting.add_argument("--scale", type=int, default=1, help="so many times faster the sender's own time runs")
    waiting.add_argument("--delayed", type=int, default=100_000, help="jobs, of `delay`")
    waiting.add_argument("--decided", type=float, default=1_000, help="of them, per second")
    waiting.add_argument("--backlog", type=int, default=30_000, help="jobs, of `backlog`")
    waiting.add_argument("--backlog-limit", type=float, default=200, help="requests per second of that partner")
    waiting.add_argument("--backlog-load", type=float, default=400, help="jobs per second for the others, in all")
    waiting.add_argument("--down", type=float, default=30.0, help="seconds that the partner is down for")
    waiting.add_argument("--drain", type=float, help="seconds to watch the backlog go; default: all of it")


def main() -> int:
    """Run; 1 when a suite broke off."""
    arguments = parse()
    names = list(SUITES) if "all" in arguments.suite else arguments.suite
    return conduct.conduct({name: SUITES[name] for name in names}, tables.TABLES, arguments)


if __name__ == "__main__":
    sys.exit(main())
