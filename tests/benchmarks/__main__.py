"""`make bench`: the worker, a stock Faust agent and the floor, alternating in one run; medians and ratios.

Throughput is the number of jobs divided by the time between the first and the last job's record in the delivery topic.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.local.broker import EmbeddedBroker
from tests.benchmarks.workload import CONFIG, DEVICES, PARTITIONS, create, feed

CONTESTANTS = ("worker", "stock", "floor")
DEADLINE_SECONDS = 600


def start(contestant: str, bootstrap: str, prefix: str, codec: str, folder: str) -> subprocess.Popen[bytes]:
    """Start a contestant; it runs until ended."""
    environment = os.environ | {
        "RINGBACK_BOOTSTRAP_SERVERS": bootstrap,
        "RINGBACK_TOPIC_PREFIX": prefix,
        "RINGBACK_STATE_DIR": folder,
        "RINGBACK_WORKER_ID": f"{prefix}worker",
        "RINGBACK_METRICS_PORT": "0",
        "RINGBACK_COMPRESSION": codec,
        "RINGBACK_LOG_LEVEL": "warning",
    }
    ringback = [sys.executable, "-m", "streams.cli.main"]
    if contestant == "worker":
        for command in (["topics", "create"], ["apply", str(CONFIG)]):
            subprocess.run([*ringback, *command], env=environment, check=True, stdout=subprocess.DEVNULL)
        command = [*ringback, "worker"]
    else:
        create(bootstrap, *(prefix + name for name in ("users", "delivery", "decisions", "dead-letters", "report")))
        if contestant == "floor":
            create(bootstrap, f"{prefix}changelog", compact=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{contestant}", bootstrap, prefix, codec, folder]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def jobs_per_second(bootstrap: str, prefix: str, expected: int) -> float:
    """Wait for `expected` jobs and divide. Raises TimeoutError."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{prefix}count", "isolation.level": "read_committed"}
    )
    consumer.assign([TopicPartition(f"{prefix}delivery", partition, 0) for partition in range(PARTITIONS)])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        ends = written(consumer)
        if ends >= expected:
            break
        if time.monotonic() > deadline:
            raise TimeoutError(f"{prefix}: {ends} of {expected} jobs")
        time.sleep(0.5)
    moments: list[int] = []
    while len(moments) < expected:
        moments += [message.timestamp()[1] for message in consumer.consume(10_000, 1.0)]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{prefix}: {len(moments)} of {expected} jobs")
    consumer.close()
    return expected / (max(moments) - min(moments)) * 1000


def written(consumer: Consumer) -> int:
    """How many records, markers included, lie in the assigned partitions; 0 while they have no leader yet."""
    try:
        return sum(consumer.get_watermark_offsets(place)[1] for place in consumer.assignment())
    except KafkaException:
        return 0


def race(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Each contestant in turn, so many rounds; each on its own broker with the same input, so that none inherits
    another's load.
    """
    results: dict[str, list[float]] = {contestant: [] for contestant in arguments.only}
    for round_number in range(arguments.rounds):
        for contestant in arguments.only:
            records = arguments.records if contestant != "stock" else arguments.records // 4
            with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
                create(broker.bootstrap, "installs", "events")
                feed(broker.bootstrap, records, arguments.codec)
                prefix = f"{contestant}{round_number}."
                process = start(contestant, broker.bootstrap, prefix, arguments.codec, folder)
                try:
                    rate = jobs_per_second(broker.bootstrap, prefix, records)
                finally:
                    process.kill()
                    process.wait()
            results[contestant].append(rate)
            print(f"round {round_number + 1}  {contestant:8} {rate:10,.0f} records/s", flush=True)
    return results


def main() -> None:
    """Run the race and print the table; the figures also go to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="payments; the stock agent gets a quarter of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--codec", default="zstd", choices=("none", "lz4", "zstd", "snappy", "gzip"))
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=CONTESTANTS)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    print(
        f"{arguments.records:,} payments of {DEVICES:,} devices, {PARTITIONS} partitions, {arguments.codec}, "
        f"{os.cpu_count()} cores"
    )
    results = race(arguments)
    medians = {contestant: statistics.median(rates) for contestant, rates in results.items()}
    print(f"\n{'':10}{'records/s':>12}{'worker ÷ it':>14}")
    for contestant, median in medians.items():
        ratio = f"{medians['worker'] / median:14.2f}" if "worker" in medians else ""
        print(f"{contestant:10}{median:12,.0f}{ratio}")
    arguments.json.write_text(json.dumps({"arguments": {**vars(arguments), "json": None}, "rates": results}, indent=2))


if __name__ == "__main__":
    main()
