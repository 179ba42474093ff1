"""Records of the demo as they come to lie in topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from schemas.config import Configuration
from streams.demo.simulator import Planned
from streams.engine.raw import Raw
from streams.kafka import partition_of

PARTITIONS = 4


def lay(
    configuration: Configuration, records: Iterable[Planned], start: int, step: int = 20, partitions: int = PARTITIONS
) -> dict[int, list[Raw]]:
    """Produce `records` from `start` on (ms), one each `step` ms."""
    sources = {source.record: source for source in configuration.sources}
    lying: dict[int, list[Raw]] = {partition: [] for partition in range(partitions)}
    offsets: Counter[tuple[str, int]] = Counter()
    for number, record in enumerate(records):
        partition, source = partition_of(record.key, partitions), sources[record.kind]
        offset = offsets[source.topic, partition]
        offsets[source.topic, partition] += 1
        raw = Raw(source.topic, partition, offset, start + number * step, record.key, record.value, source)
        lying[partition].append(raw)
    return lying
