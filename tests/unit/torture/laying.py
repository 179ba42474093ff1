"""Torture records as they come to lie in topics, and what the worker's rules make of them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from schemas.config import Configuration
from streams.config.load import load_directory
from streams.engine.output import Limits, Names
from streams.engine.raw import Raw
from streams.kafka import partition_of
from streams.torture import configuration
from streams.torture.history import Fed, history
from streams.torture.reference import Reference, Setup

PARTITIONS = 3
START = 1_767_323_045_000
NAMES = Names("delivery", "decisions", "dead-letters", "users", worker="w")


def load() -> Configuration:
    """The configuration of a run, as generation 0."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "torture.yaml").write_text(configuration.text("", "http://127.0.0.1:9"))
        return load_directory(Path(folder))


CONFIGURATION = load()
SOURCES = {source.record: source for source in CONFIGURATION.sources}


def lay(records: Iterable[Fed], partitions: int = PARTITIONS) -> dict[int, list[Raw]]:
    """The records by partition, in the order of append times."""
    lying: dict[int, list[Raw]] = {number: [] for number in range(partitions)}
    offsets: Counter[tuple[str, int]] = Counter()
    for number, fed in enumerate(records):
        partition, source = partition_of(fed.key, partitions), SOURCES[fed.kind]
        offset = offsets[source.topic, partition]
        offsets[source.topic, partition] += 1
        lying[partition].append(Raw(source.topic, partition, offset, START + number * 7, fed.key, fed.value, source))
    return lying


def fed(records: Iterable[Raw], piece: int) -> Iterator[tuple[str, list[Raw], bool]]:
    """In pieces, as they are read: of the topics whichever is behind."""
    left = {source.topic: [one for one in records if one.topic == source.topic] for source in CONFIGURATION.sources}
    for topic in [topic for topic, some in left.items() if not some]:
        yield topic, [], True
        del left[topic]
    while left:
        topic = min(left, key=lambda one: left[one][0].appended)
        some, left[topic] = left[topic][:piece], left[topic][piece:]
        last = not left[topic]
        if last:
            del left[topic]
        yield topic, some, last


def reference(lying: dict[int, list[Raw]], piece: int = 50, users: dict[int, list[Raw]] | None = None) -> Reference:
    """Both stages over all of them; `users`: the users topic as it lies."""
    made = Reference(Setup(CONFIGURATION, NAMES, Limits(), "nos", PARTITIONS))
    for number, records in lying.items():
        made.devices(number, fed(records, piece))
    for number, records in (users or {}).items():
        made.users(number, [records])
    return made


def some_history(seed: int, count: int) -> dict[int, list[Raw]]:
    """So many records of a seed."""
    return lay(islice(history(seed), count))
