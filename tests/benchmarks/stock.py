"""The peer: the same decisions as a stock Faust agent makes them, one record at a time, with a stock RocksDB table."""

from __future__ import annotations

import sys
import time

import faust

from streams.engine.pipeline import Holds, Raw
from tests.benchmarks.floor import make_pipeline
from tests.benchmarks.workload import CONFIG, PARTITIONS


def main(bootstrap: str, prefix: str, codec: str, folder: str) -> None:
    """Run until ended."""
    from streams.config.load import load_directory

    pipeline = make_pipeline(prefix)
    sources = {source.topic: source for source in load_directory(CONFIG).sources}
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
    )
    table = app.Table("states", key_type=bytes, value_type=bytes, partitions=PARTITIONS)
    topic = app.topic(*sources, key_type=bytes, value_type=bytes)
    outputs = {
        name: app.topic(f"{prefix}{name}", key_type=bytes, value_type=bytes)
        for name in ("users", "delivery", "decisions", "dead-letters", "report")
    }
    by_topic = {f"{prefix}{name}": output for name, output in outputs.items()}
    holds = Holds()

    def read(keys: list[bytes]) -> list[bytes | None]:
        return [table.get(key) for key in keys]

    @app.agent(topic)
    async def decide(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            m = event.message
            raw = Raw(m.topic, m.partition, m.offset, int(m.timestamp * 1000), m.key, m.value, sources[m.topic])
            output = pipeline.process(m.partition, [raw], None, int(time.time() * 1000), read, holds, PARTITIONS)
            for row, state in output.puts.items():
                table[row] = state
            for name, key, value, partition in output.outgoing:
                at = m.partition if partition is None else partition
                await by_topic[name].send(key=key, value=value, partition=at)

    sys.argv = ["faust", "worker", "--without-web", "-l", "warn"]
    app.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
