"""What all contestants but the worker share: one input topic, and the worker's own pure decisions around it.

It imports nothing that the environment of a peer may not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.config.load import load_directory
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names
from streams.engine.pipeline import Pipeline
from streams.engine.raw import Raw
from streams.kafka import partition_of
from tests.benchmarks.workload import CONFIG, PARTITIONS

#: Installs, and behind them payments: the order that the worker makes of two topics is there already.
INPUT = "input"
#: What the installs begin with, as the workload writes them.
INSTALL = b'{"id": "i-'


def make_pipeline(prefix: str) -> Pipeline:
    """The decisions, as the worker makes them."""
    names = Names(*(f"{prefix}{name}" for name in ("delivery", "decisions", "dead-letters", "users")))
    pipeline = Pipeline(names, "nos", Limits(), partition_of)
    pipeline.configure(load_directory(CONFIG))
    return pipeline


class Reader:
    """Makes of what a client library gives what the pipeline takes."""

    def __init__(self) -> None:
        sources = {source.record: source for source in load_directory(CONFIG).sources}
        self._install, self._event = sources["install"], sources["event"]

    def raw(self, partition: int, offset: int, appended: int, key: bytes | None, value: bytes) -> Raw:
        """A record of the input topic."""
        source = self._install if value.startswith(INSTALL) else self._event
        return Raw(source.topic, partition, offset, appended, key, value, source)


class OneByOne:
    """Decides one record at a time, for the peers.

    They keep no daily counts: those cost a batch next to nothing, and would cost them a state and a record more for
    each input. So their task is the lighter one.
    """

    def __init__(self, prefix: str) -> None:
        self._pipeline, self._reader = make_pipeline(prefix), Reader()
        self._delivery = f"{prefix}delivery"
        self._holds = Holds()

    def decide(
        self,
        partition: int,
        offset: int,
        appended: int,
        key: bytes | None,
        value: bytes,
        read: Callable[[bytes], bytes | None],
    ) -> tuple[list[tuple[bytes, bytes | None]], list[tuple[bytes | None, bytes]]]:
        """The state to write (None deletes), and key and value of the jobs. `read` gives the state of a key."""

        def states(keys: list[bytes]) -> list[bytes | None]:
            return [read(row) if row.startswith(b"d") else None for row in keys]

        raw = self._reader.raw(partition, offset, appended, key, value)
        now = int(time.time() * 1000)
        output = self._pipeline.process(partition, [raw], None, now, states, self._holds, PARTITIONS)
        puts = [(row, state) for row, state in output.puts.items() if row.startswith(b"d")]
        return puts, [(one.key, one.value) for one in output.outgoing if one.topic == self._delivery]
