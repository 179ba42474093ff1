"""A steady load of jobs, as a process of its own.

Jobs are written into a delivery topic at an even pace, each decided and due when it is written, or later by a random
time of up to `--delay` milliseconds. It prints `started` with the first one. When all are written, the times at which
they were due stand in the file `--due`, in the order of their numbers. SIGTERM ends it sooner.
"""

from __future__ import annotations

import argparse
import random
import signal
import time
from array import array
from pathlib import Path

from confluent_kafka import Producer

from tests.benchmarks import pacing
from tests.benchmarks.delivery.jobs import Jobs, encode, place

#: Seconds. What comes due within it is produced together.
TICK = 0.002


class Load:
    """Writes jobs. `lanes`: those that they take in turn."""

    def __init__(self, producer: Producer, topic: str, partitions: int, jobs: Jobs, lanes: range) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions
        self._jobs, self._lanes = jobs, lanes
        #: When each was due, in ms.
        self.due = array("q")
        self._ending = False

    def end(self) -> None:
        """Write no more."""
        self._ending = True

    def write(self, number: int, delay: int) -> None:
        """Decide one, due in `delay` ms."""
        now = int(time.time() * 1000)
        job = self._jobs.job(number, now, now + delay, self._lanes[number % len(self._lanes)])
        while True:
            try:
                partition = place(number, len(self._lanes), self._partitions)
                self._producer.produce(self._topic, encode(job), job.device_key.encode(), partition)
                break
            except BufferError:
                self._producer.poll(0.05)
        self.due.append(job.due_at)

    def run(self, rate: float, count: int, first: int, delay: int, seed: int) -> None:
        """Write so many at this rate."""
        chance = random.Random(seed)
        sent, began = 0, time.monotonic()
        while sent < count and not self._ending:
            elapsed = time.monotonic() - began
            wanted = pacing.due(rate, elapsed, count)
            for number in range(sent, wanted):
                self.write(first + number, chance.randrange(delay) if delay else 0)
            sent = wanted
            self._producer.poll(0)
            time.sleep(pacing.pause(rate, elapsed, TICK))
        self._producer.flush()


def producer(bootstrap: str) -> Producer:
    """Writes without waiting for long for others."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "zstd",
            "linger.ms": 2,
            "queue.buffering.max.messages": 500_000,
            "log_level": 3,
        }
    )


def main() -> None:
    """Write and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("rate", type=float, help="jobs per second")
    parser.add_argument("count", type=int)
    parser.add_argument("--port", type=int, required=True, help="of the target")
    parser.add_argument("--lanes", type=int, nargs=2, required=True, metavar=("FIRST", "BEHIND"))
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--first", type=int, default=0, help="the number of the first job")
    parser.add_argument("--delay", type=int, default=0, help="at most so many milliseconds")
    parser.add_argument("--retries", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--due", type=Path, required=True)
    arguments = parser.parse_args()
    lanes = range(*arguments.lanes)
    made = producer(arguments.bootstrap)
    made.list_topics(arguments.topic, timeout=30)
    jobs = Jobs(arguments.port, len(lanes), retry_attempts=arguments.retries)
    load = Load(made, arguments.topic, arguments.partitions, jobs, lanes)
    signal.signal(signal.SIGTERM, lambda *_: load.end())
    print("started", flush=True)
    load.run(arguments.rate, arguments.count, arguments.first, arguments.delay, arguments.seed)
    with arguments.due.open("wb") as file:
        load.due.tofile(file)
    print("done", flush=True)


if __name__ == "__main__":
    main()
