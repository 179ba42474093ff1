"""What the engine asks of the rooms that it does not know: the pipeline that decides, the source of
configurations, the consumer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

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


#: Commits applied offsets of inputs for the group; whether that worked.
CommitNow = Callable[[dict[tuple[str, int], int]], Awaitable[bool]]


class Lookups(Protocol):
    """Answers who asks for a state, on a port of its own."""

    @property
    def note(self) -> str:
        """What stands beside the offsets that this worker commits, so that others find it."""
        ...

    async def start(self) -> None:
        """Serve. Raises `Stop`."""
        ...

    async def announce(self, partition: Any, commit_now: CommitNow) -> None:
        """This partition is ours now: see to it that the note is there."""
        ...

    async def close(self) -> None: ...


#: Makes it for an engine.
Serve = Callable[[Any], Lookups]


#: Of this process in its group: it owns what it was assigned, the assignment is about to change, or it was put out.
Membership = Literal["member", "rebalancing", "gone"]


class Inputs(Protocol):
    """What the engine asks of the consumer."""

    def applied(self, positions: Mapping[tuple[str, int], int]) -> None: ...

    async def move(self, positions: Mapping[tuple[str, int], int]) -> None: ...

    async def commit_now(self, positions: dict[tuple[str, int], int]) -> bool: ...

    async def membership(self) -> Membership | None:
        """None when the group cannot be asked now."""
        ...

    async def watch(self) -> None:
        """Raises what ends the membership, also of who reads nothing."""
        ...
