"""Which worker has a partition: what it notes beside the offsets that it commits for the group.

Not from what Faust's assignor exchanges: that knows each member by its URL, so that two with the same one become one;
a static member that comes back gets the knowledge of the assignment before, with the URL that it had then; and members
that tell no state would be asked too. The group's offsets are written by the owner only (Kafka refuses others), and
change when the partition does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams import kafka
from streams.engine.stages import Input
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S = 2.0
#: What was found is believed for so long (seconds), unless it turns out to be wrong.
BELIEVED_S = 10.0


class Unheard(Exception):
    """The brokers do not say it now."""


class Owners:
    """Asks Kafka, once for each question that is under way.

    With aiokafka: confluent-kafka's `list_consumer_group_offsets` takes the note's bytes without their length, and now
    and then gives what lies behind them in memory too (2.16, seen).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None
        self._starting = asyncio.Lock()
        self._known: dict[Input, tuple[str, float]] = {}
        self._asking: dict[Input, asyncio.Task[str | None]] = {}

    async def noted(self, place: Input) -> str | None:
        """What the owner of an input's partition has noted; None when nothing has been committed. Raises `Unheard`."""
        known = self._known.get(place)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._ask(place))
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        found = await asyncio.shield(task)
        if found:
            self._known[place] = found, time.monotonic() + BELIEVED_S
        return found

    def forget(self, place: Input) -> None:
        """What is known of it was wrong."""
        self._known.pop(place, None)

    async def close(self) -> None:
        """Ask no more; what is being asked is not answered."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    async def _ask(self, place: Input) -> str | None:
        asked = TopicPartition(*place)
        try:
            admin = await asyncio.wait_for(self._connected(), ASK_S)
            found = await asyncio.wait_for(
                admin.list_consumer_group_offsets(self._settings.worker_id, partitions=[asked]), ASK_S
            )
        except (KafkaError, TimeoutError, OSError, AttributeError) as error:  # the last: an error of this partition
            log.warning("the group's offsets cannot be read: %s", error or type(error).__name__)
            raise Unheard from error
        committed = found.get(asked)
        return committed.metadata if committed is not None and committed.offset >= 0 else None

    async def _connected(self) -> Any:
        async with self._starting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**kafka.aiokafka_settings(self._settings))
                try:
                    await admin.start()
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin
