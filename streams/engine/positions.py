"""Where the inputs of a partition begin: behind the marker, or where a source that is new says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from streams.engine.progress import Ends
from streams.engine.recovery import Abandoned, Marker
from streams.engine.stages import Stage, Unit
from streams.errors import Stop

log = logging.getLogger(__name__)

RETRY_S = 0.5


async def start_positions(
    stage: Stage, number: int, marker: Marker, ends_of: Ends, stopped: Callable[[], bool]
) -> Marker:
    """The marker, complete for the stage's sources. Waits while the brokers are away.

    Raises `Stop` when an input of the user's ends before the marker: its topic was recreated, and reading on would skip
    records. A topic of ours that was recreated holds only what has been written since, and nobody can write again what
    is gone: it is read from its beginning, and the log says what that means.
    """
    inputs = [(topic, number) for topic in stage.topics]
    unit = Unit(stage.name, number)
    while True:
        ends, starts = await ends_of.of(inputs), await ends_of.beginnings(inputs)
        if stopped():
            raise Abandoned
        if ends is not None and starts is not None:
            break
        await asyncio.sleep(RETRY_S)
    positions = {}
    for topic, source in stage.read.items():
        at = (topic, number)
        ours = stage.internal or topic in stage.written
        known = marker.positions.get(topic)
        if known is None:
            positions[topic] = ends[at] if source.start == "latest" and not ours else starts[at]
            continue
        if known > ends[at]:
            found = (
                f"{topic} partition {number} ends at offset {ends[at]}, but {known} has been applied already: "
                "the topic was recreated or truncated"
            )
            if ours:
                log.error("%s; what had not been read of it is lost, and it is read from its beginning", found)
                positions[topic] = starts[at]
                continue
            raise Stop(
                found,
                "to process its new contents, give the source a new topic name, or begin with empty state under a new "
                "RINGBACK_WORKER_ID",
            )
        if known < starts[at]:
            log.error(
                "%s: %d records of %s were deleted by its retention before they were read",
                unit,
                starts[at] - known,
                topic,
            )
        positions[topic] = max(known, starts[at])
    return Marker(positions)
