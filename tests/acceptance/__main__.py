"""The main job on a whole log: `python -m tests.acceptance --data FOLDER --order backlog --kills 3`.

FOLDER holds `…installs.jsonl.gz` and `…events.jsonl.gz`. Prints what each postback received beside what the log says,
and what `ringback report` shows beside what DuckDB counts in the log. Exits with 1 when they differ, when the counts do
not agree, or when a job did not end exactly once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.acceptance import main_job, shop
from tests.acceptance.counted import counted


def main() -> int:
    """Run and compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("--data", type=Path, default=shop.DATA)
    parser.add_argument("--order", default="installs first", choices=("installs first", "events first", "backlog"))
    parser.add_argument("--kills", type=int, default=0, help="how often worker and sender are killed with -9")
    parser.add_argument("--grace", default="60s")
    parser.add_argument("--within", type=float, default=1_800, help="seconds")
    arguments = parser.parse_args()
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            topic_prefix="shop.",
            state_dir=Path(folder) / "state",
            metrics_host="127.0.0.1",
            metrics_port=0,
            sender_metrics_port=0,
            egress_allow=("127.0.0.0/8",),
            partitions=4,
        )
        outcome = main_job.run(
            settings,
            Path(folder),
            data=arguments.data,
            order=arguments.order,
            kills=arguments.kills,
            grace=arguments.grace,
            within=arguments.within,
        )
    installs, events = (next(arguments.data.glob(f"*{name}.jsonl.gz")) for name in ("installs", "events"))
    expected = shop.expected(installs, events)
    print(f"{'event':18}{'method':20}{'partner':10}{'received':>10}{'expected':>10}")
    for which in sorted(expected.keys() | outcome.received.keys()):
        event, method, partner = which
        print(f"{event:18}{method:20}{partner:10}{outcome.received[which]:>10,}{expected[which]:>10,}")
    print(f"{outcome.received.total():,} jobs in {outcome.seconds:.0f} s; repeated requests: {outcome.repeated}")
    print(f"repeated without a kill that explains it: {outcome.unexplained}")
    print(f"terminal receipts: {dict(outcome.terminal)}; jobs with more than one: {outcome.ended_more_than_once}")
    reported = counted(installs, events)
    same = outcome.reported == reported
    print(f"report: {outcome.reported.total():,} derived events, by DuckDB {reported.total():,}; day by day: {same}")
    print(*outcome.checked, sep="\n")
    well = outcome.received == expected and not outcome.ended_more_than_once
    well = well and same and all(line.startswith("all counts agree") for line in outcome.checked)
    return 0 if well and outcome.terminal.total() == expected.total() else 1


if __name__ == "__main__":
    sys.exit(main())
