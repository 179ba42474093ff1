"""A steady load, as a process of its own: `python -m tests.benchmarks.load BOOTSTRAP RATE SECONDS`.

Payments of known devices go to `events`, evenly spaced. They are made before the first is sent, so that sending costs
little. It prints `started` with the first record, and at the end how far it lagged behind its own pace at most.
"""

from __future__ import annotations

import argparse
import time

from confluent_kafka import Producer

from tests.benchmarks import pacing
from tests.benchmarks.workload import DEVICES, WORKLOADS, payments, placed

#: Seconds. What comes due within it is produced together.
TICK = 0.001


def run(producer: Producer, records: list[tuple[int, bytes, bytes]], rate: float) -> float:
    """Send all records at this rate; the most seconds that one was late."""
    late = 0.0
    sent, total = 0, len(records)
    began = time.monotonic()
    while sent < total:
        elapsed = time.monotonic() - began
        due = pacing.due(rate, elapsed, total)
        if sent < due:
            late = max(late, elapsed - sent / rate)
        for partition, key, value in records[sent:due]:
            producer.produce("events", value, key, partition)
        sent = due
        producer.poll(0)
        time.sleep(pacing.pause(rate, elapsed, TICK))
    return late


def main() -> None:
    """Send and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("bootstrap")
    parser.add_argument("rate", type=float, help="records per second")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--workload", choices=WORKLOADS, default="plain")
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--first", type=int, default=0, help="the number of the first payment")
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--codec", default="zstd")
    parser.add_argument("--linger", type=int, default=5, help="milliseconds that a producer gathers records for")
    arguments = parser.parse_args()
    total = int(arguments.rate * arguments.seconds)
    records = list(
        placed(payments(arguments.devices, total, arguments.workload, arguments.first), arguments.partitions)
    )
    producer = Producer(
        {
            "bootstrap.servers": arguments.bootstrap,
            "compression.type": arguments.codec,
            "linger.ms": arguments.linger,
            "queue.buffering.max.messages": 500_000,
        }
    )
    producer.list_topics("events", timeout=30)
    print("started", flush=True)
    late = run(producer, records, arguments.rate)
    producer.flush()
    print(f"{late * 1000:.0f}", flush=True)


if __name__ == "__main__":
    main()
