"""The peer: the same decisions as a stock Faust agent makes them, one record at a time, with a stock RocksDB table.

`stock` is Faust as it comes, but for what has nothing to do with its speed: the codec, no web server, no look for a
leader. `stock-tuned` has what makes it faster without another line of code: a producer that gathers for 20 ms, in
batches of 256 KiB, instead of sending each record at once; no debug lines. At-least-once, the default.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import faust

from tests.benchmarks.common import INPUT, OneByOne
from tests.benchmarks.workload import PARTITIONS

TUNED: dict[str, Any] = {"producer_linger": 0.02, "producer_max_batch_size": 262_144}


def main(bootstrap: str, prefix: str, codec: str, folder: str, how: str) -> None:
    """Run until ended. `how` is `plain` or `tuned`."""
    deciding = OneByOne(prefix)
    app = faust.App(
        f"{prefix}stock",
        broker=f"kafka://{bootstrap}",
        store="rocksdb://?driver=rocksdict",
        datadir=folder,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        web_enabled=False,
        producer_compression_type=None if codec == "none" else codec,
        key_serializer="raw",
        value_serializer="raw",
        **(TUNED if how == "tuned" else {}),
    )
    table = app.Table("states", key_type=bytes, value_type=bytes, partitions=PARTITIONS)
    records = app.topic(INPUT, key_type=bytes, value_type=bytes)
    delivery = app.topic(f"{prefix}delivery", key_type=bytes, value_type=bytes)

    @app.agent(records)
    async def decide(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            m = event.message
            puts, jobs = deciding.decide(m.partition, m.offset, int(m.timestamp * 1000), m.key, m.value, table.get)
            for row, state in puts:
                table[row] = state
            for key, value in jobs:
                await delivery.send(key=key, value=value, partition=m.partition)

    if how == "tuned":
        # Mode lets every debug line be made and drops it at the end.
        logging.disable(logging.INFO)
    sys.argv = ["faust", "worker", "--without-web", "-l", "warn"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
