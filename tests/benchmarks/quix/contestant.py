"""The peer: the same decisions in Quix Streams, one record at a time, with its own state store.

Settings: state and jobs are bytes, so that nothing is encoded twice; the default checkpoint interval of 5 s (the
shorter the slower); a producer that gathers for 50 ms; as much prefetched as librdkafka does by default.
`at-least-once` is the default guarantee; with `exactly-once` each checkpoint is a transaction, so jobs become visible
every 5 s only.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State, message_context

from tests.benchmarks.common import INPUT, OneByOne


def main(bootstrap: str, prefix: str, codec: str, folder: str, guarantee: str) -> None:
    """Run until ended."""
    deciding = OneByOne(prefix)
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{prefix}quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        processing_guarantee=guarantee,
        producer_extra_config={
            "compression.type": codec,
            "linger.ms": 50,
            "queue.buffering.max.messages": 500_000,
        },
        auto_create_topics=True,
        loglevel="WARNING",
    )
    records = app.topic(INPUT, key_deserializer="bytes", value_deserializer="bytes")
    delivery = app.topic(f"{prefix}delivery", key_serializer="bytes", value_serializer="bytes")

    def decide(value: bytes, key: bytes, timestamp: int, headers: Any, state: State[str, Any]) -> list[bytes]:
        context = message_context()

        def read(row: bytes) -> bytes | None:
            found: bytes | None = state.get_bytes("s")
            return found

        puts, jobs = deciding.decide(context.partition, context.offset, timestamp, key, value, read)
        for _, row in puts:
            if row is not None:
                state.set_bytes("s", row)
        return [job for _, job in jobs]

    frame = app.dataframe(records)
    frame.apply(decide, stateful=True, metadata=True, expand=True).to_topic(delivery)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
