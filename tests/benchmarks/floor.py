"""The floor: a bare confluent-kafka + RocksDB batch loop around the same decisions, without Faust.

It does without what makes a worker: no group and its rebalances, no merge, no recovery, no probes. With transactions,
each batch's jobs, states, counts and marker appear at once, as the worker's do; without (`plain`), each batch is
flushed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import rocksdict
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.engine.holds import Holds
from streams.engine.output import Output
from streams.engine.pipeline import Pipeline
from streams.engine.raw import Raw
from tests.benchmarks.common import INPUT, Reader, make_pipeline
from tests.benchmarks.workload import PARTITIONS

#: As many records as the worker takes at most (`RINGBACK_BATCH_RECORDS`).
BATCH = 2_000


def _transactional(bootstrap: str, codec: str, name: str) -> Producer:
    return _producer(bootstrap, codec, {"transactional.id": name})


def _producer(bootstrap: str, codec: str, more: dict[str, Any]) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "enable.idempotence": True,
            "linger.ms": 0,
            "queue.buffering.max.messages": 500_000,
        }
        | more
    )


class Lane:
    """One partition: its state, its producer."""

    def __init__(self, bootstrap: str, prefix: str, codec: str, partition: int, folder: Path, mode: str) -> None:
        self.partition, self.prefix = partition, prefix
        self.holds = Holds()
        self.transactions = mode == "transactions"
        self.db = rocksdict.Rdict(str(folder / str(partition)), rocksdict.Options(raw_mode=True))
        if self.transactions:
            self.producer = _transactional(bootstrap, codec, f"{prefix}floor-{partition}")
            self.producer.init_transactions()
        else:
            self.producer = _producer(bootstrap, codec, {})

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        return self.db.get(keys) if keys else []

    def process(self, pipeline: Pipeline, records: list[Raw]) -> None:
        """One batch: decide, one transaction or flush, one write."""
        now = int(time.time() * 1000)
        output = pipeline.process(self.partition, records, None, now, self.read, self.holds, PARTITIONS)
        if self.transactions:
            self.producer.begin_transaction()
        self._produce(output, records[-1].offset)
        if self.transactions:
            self.producer.commit_transaction()
        else:
            self.producer.flush()
        batch = rocksdict.WriteBatch(raw_mode=True)
        for row, state in output.puts.items():
            if state is None:
                batch.delete(row)
            else:
                batch.put(row, state)
        self.db.write(batch)

    def _produce(self, output: Output, last: int) -> None:
        for topic, key, value, partition in output.outgoing:
            self.producer.produce(topic, value, key, self.partition if partition is None else partition)
        changelog = f"{self.prefix}changelog"
        for row, state in output.puts.items():
            self.producer.produce(changelog, state, row, self.partition)
        self.producer.produce(changelog, b"%d" % last, b"m", self.partition)


def main(bootstrap: str, prefix: str, codec: str, folder: str, mode: str) -> None:
    """Run until ended. `mode`: transactions or plain."""
    pipeline, reader = make_pipeline(prefix), Reader()
    lanes = [Lane(bootstrap, prefix, codec, partition, Path(folder), mode) for partition in range(PARTITIONS)]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{prefix}floor",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(INPUT, partition, 0) for partition in range(PARTITIONS)])
    while True:
        batches: dict[int, list[Raw]] = {}
        for m in consumer.consume(BATCH * PARTITIONS, 0.5):
            raw = reader.raw(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value())
            batches.setdefault(raw.partition, []).append(raw)
        for partition, records in batches.items():
            for first in range(0, len(records), BATCH):
                lanes[partition].process(pipeline, records[first : first + BATCH])


if __name__ == "__main__":
    main(*sys.argv[1:])
