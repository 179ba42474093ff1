"""Where the inputs of a partition begin: behind the marker, or where a source that is new says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from schemas.config import Source
from streams.engine.progress import Ends
from streams.engine.recovery import Abandoned, Marker
from streams.errors import Stop

log = logging.getLogger(__name__)

RETRY_S = 0.5


async def start_positions(
    sources: Sequence[Source], partition: int, marker: Marker, ends_of: Ends, stopped: Callable[[], bool]
) -> Marker:
    """The marker, complete for the configured sources. Waits while the brokers are away.

    Raises `Stop` when an input ends before the marker: its topic was recreated, and reading on would skip records.
    """
    inputs = [(source.topic, partition) for source in sources]
    while True:
        ends, starts = await ends_of.of(inputs), await ends_of.beginnings(inputs)
        if stopped():
            raise Abandoned
        if ends is not None and starts is not None:
            break
        await asyncio.sleep(RETRY_S)
    positions = {}
    for source in sources:
        at = (source.topic, partition)
        known = marker.positions.get(source.topic)
        if known is None:
            positions[source.topic] = ends[at] if source.start == "latest" else starts[at]
            continue
        if known > ends[at]:
            raise Stop(
                f"{source.topic} partition {partition} ends at offset {ends[at]}, but {known} has been applied "
                "already: the topic was recreated or truncated",
                "to process its new contents, give the source a new topic name, or begin with empty state under a new "
                "RINGBACK_WORKER_ID",
            )
        if known < starts[at]:
            log.error(
                "partition %d: %d records of %s were deleted by its retention before they were read",
                partition,
                starts[at] - known,
                source.topic,
            )
        positions[source.topic] = max(known, starts[at])
    return Marker(positions)
