"""Memory while a million records wait: the worker before a backlog of events, the sender before a backlog of jobs.

`python -m tests.benchmarks.memory`. Prints the resident memory of the process at every tenth of the way; flat is what
it should be. The sender's partner hangs, so that the jobs keep waiting for as long as it is watched.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka import Topics
from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.benchmarks.workload import CONFIG, PARTITIONS, create, feed
from tests.support.processes import starting

MIB = 2**20
DEADLINE_SECONDS = 1_800


def resident(process: GuardedProcess) -> int:
    """Bytes of the command itself, not of its guard."""
    return max(
        (child.memory_info().rss for child in psutil.Process(process.guard_pid).children(recursive=True)), default=0
    )


def written(bootstrap: str, topic: str) -> int:
    """How many records lie in a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reads-only"})
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    try:
        return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    except KafkaException:  # a topic so new that its leaders are not known yet
        return 0
    finally:
        consumer.close()


def watch(name: str, process: GuardedProcess, share: Callable[[], float]) -> list[int]:
    """Print and return the memory at every tenth of the way."""
    sizes: list[int] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(sizes) <= 10:
        if not process.running or time.monotonic() > deadline:
            raise RuntimeError(process.log_tail())
        if share() >= len(sizes) / 10:
            sizes.append(resident(process) // MIB)
            print(f"{name:8}{len(sizes) * 10 - 10:4} %{sizes[-1]:8} MiB", flush=True)
        time.sleep(0.2)
    return sizes


def main() -> None:
    """Worker, then sender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=120, help="how long the sender is watched")
    arguments = parser.parse_args()
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            state_dir=Path(folder) / "state",
            metrics_host="127.0.0.1",
            metrics_port=0,
            sender_metrics_port=0,
            egress_allow=("127.0.0.0/8",),
            partitions=PARTITIONS,
        )
        create(broker.bootstrap, "installs", "events")
        feed(broker.bootstrap, arguments.records, "zstd")
        with starting(settings, Path(folder)) as start:
            partner = start("--answer", "/", '{"ending": "hang"}', module="streams.local.partner")
            while not partner.output():
                time.sleep(0.1)
            text = (CONFIG / "bench.yaml").read_text()
            configuration = Path(folder) / "bench.yaml"
            configuration.write_text(
                text.replace("https://postback.example.com", partner.output().split()[0].rstrip("/"))
            )
            for command in (("apply", str(configuration)), ("topics", "create")):
                assert start(*command).wait(120) == 0
            delivery = Topics(settings.topic_prefix).delivery
            worker = start("worker")
            watch("worker", worker, lambda: written(broker.bootstrap, delivery) / arguments.records)
            worker.kill()
            sender = start("sender")
            began = time.monotonic()
            watch("sender", sender, lambda: (time.monotonic() - began) / arguments.seconds)


if __name__ == "__main__":
    main()
