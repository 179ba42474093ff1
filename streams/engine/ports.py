"""What the engine asks of the rooms that it does not know: the pipeline that decides, and the source of
configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.config import Configuration
from streams.engine.holds import Holds
from streams.engine.output import Output
from streams.engine.raw import Raw
from streams.settings import Settings

#: Reads rows of the state store: for each key its value, None when there is none.
Read = Callable[[list[bytes]], list[bytes | None]]


class Processor(Protocol):
    """Decides a batch (see `streams.engine.pipeline`). Called from the event loop; pure but for `holds`."""

    def configure(self, configuration: Configuration) -> None:
        """Decide by this configuration from the next batch on. Raises and keeps the old one when it is unusable."""
        ...

    def process(
        self,
        partition: int,
        records: Sequence[Raw],
        progress: int | None,
        now: int,
        read: Read,
        holds: Holds,
        partitions: int,
    ) -> Output:
        """What must be written for the first `taken` of the records, all in one transaction."""
        ...


class Follower(Protocol):
    """Follows the configuration from a thread of its own."""

    @property
    def alive(self) -> bool:
        """Whether it follows: false before `start` and after `stop`, and when it has failed."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


#: Makes a follower: it calls the first with each complete generation, the second with what is wrong with one.
Follow = Callable[[Settings, Callable[[Configuration], None], Callable[[object], None]], Follower]
