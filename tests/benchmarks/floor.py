"""The floor: a bare confluent-kafka + RocksDB batch loop around the same decisions, with the same transactions, without
Faust.

It is what the worker cannot beat: no group rebalances to serve, no merge, no recovery, no probes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import rocksdict
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.config.load import load_directory
from streams.engine.pipeline import Holds, Limits, Names, Pipeline, Raw
from streams.kafka import partition_of
from tests.benchmarks.workload import CONFIG, PARTITIONS

BATCH = 2_000


def make_pipeline(prefix: str) -> Pipeline:
    """The decisions, as the worker makes them."""
    names = Names(
        f"{prefix}delivery", f"{prefix}decisions", f"{prefix}dead-letters", f"{prefix}users", f"{prefix}report"
    )
    pipeline = Pipeline(names, "nos", Limits(), partition_of)
    pipeline.configure(load_directory(CONFIG))
    return pipeline


class Lane:
    """One partition: its state, its transactional producer."""

    def __init__(self, bootstrap: str, prefix: str, codec: str, partition: int, folder: Path) -> None:
        self.partition, self.prefix = partition, prefix
        self.holds = Holds()
        options = rocksdict.Options(raw_mode=True)
        self.db = rocksdict.Rdict(str(folder / str(partition)), options)
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": f"{prefix}floor-{partition}",
                "compression.type": codec,
                "linger.ms": 0,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self.producer.init_transactions()

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        return self.db.get(keys) if keys else []

    def process(self, pipeline: Pipeline, records: list[Raw]) -> None:
        """One batch: decide, one transaction, one write."""
        output = pipeline.process(
            self.partition, records, None, int(time.time() * 1000), self.read, self.holds, PARTITIONS
        )
        self.producer.begin_transaction()
        for topic, key, value, partition in output.outgoing:
            self.producer.produce(topic, value, key, self.partition if partition is None else partition)
        for row, state in output.puts.items():
            self.producer.produce(f"{self.prefix}changelog", state, row, self.partition)
        self.producer.produce(f"{self.prefix}changelog", b"%d" % records[-1].offset, b"m", self.partition)
        self.producer.commit_transaction()
        batch = rocksdict.WriteBatch(raw_mode=True)
        for row, state in output.puts.items():
            if state is None:
                batch.delete(row)
            else:
                batch.put(row, state)
        self.db.write(batch)


def main(bootstrap: str, prefix: str, codec: str, folder: str) -> None:
    """Run until ended."""
    pipeline = make_pipeline(prefix)
    sources = {source.topic: source for source in load_directory(CONFIG).sources}
    lanes = [Lane(bootstrap, prefix, codec, partition, Path(folder)) for partition in range(PARTITIONS)]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{prefix}floor",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    for topic in sources:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        while True:
            batches: dict[int, list[Raw]] = {}
            for m in consumer.consume(BATCH * PARTITIONS, 1.0):
                raw = Raw(topic, m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), sources[topic])
                batches.setdefault(raw.partition, []).append(raw)
            for partition, records in batches.items():
                for first in range(0, len(records), BATCH):
                    lanes[partition].process(pipeline, records[first : first + BATCH])
            if not batches and topic == "installs":
                break


if __name__ == "__main__":
    main(*sys.argv[1:])
