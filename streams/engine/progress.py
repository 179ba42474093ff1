"""What time it is at the broker, and where the inputs end: what the merge and the holds wait by.

The machine's own clock decides nothing: a moment is an append time that a broker gave to a record, plus the
monotonic time since. Since a record is stamped before we learn of it, the result is never ahead of the broker's
clock, and that is the safe side: whatever was appended before such a moment is below an end that is looked up after
it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError

from streams import kafka
from streams.clock import Clock
from streams.settings import Settings

log = logging.getLogger(__name__)

#: How far two machines' clocks may drift apart: 100 parts per million, five times what a bad crystal does.
DRIFT_MS_PER_S = 0.1
#: So many samples in a row that are this late mean that the broker's clock was set back.
SET_BACK_SAMPLES = 16
SET_BACK_MS = 1_000
TIMEOUT_S = 5.0

TopicPartition = aiokafka.TopicPartition


class BrokerClock:
    """The broker's clock as one partition knows it, from the append times of its own changelog records, and of what it
    reads where brokers stamp that.

    Each sample is a lower bound: the record was stamped before it was heard of. The best one counts, less what two
    clocks may have drifted apart since.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = float("-inf")
        self._sampled = float("-inf")
        self._behind: deque[float] = deque(maxlen=SET_BACK_SAMPLES)

    def sample(self, appended: int, heard: float) -> None:
        """A record of ours has this append time (milliseconds); that was heard at this monotonic second."""
        ahead = appended - heard * 1000
        known = self._ahead - self._drift(heard)
        self._sampled = max(self._sampled, heard)
        if ahead >= known:
            self._ahead = ahead
            self._behind.clear()
            return
        self._ahead = known
        if ahead >= known - SET_BACK_MS:
            self._behind.clear()
            return
        self._behind.append(ahead)
        if len(self._behind) == SET_BACK_SAMPLES:
            # Nobody hears of a record so late so often: the broker's clock was set back.
            self._ahead = max(self._behind)
            self._behind.clear()

    def at_least(self, appended: int, heard: float) -> None:
        """A record that the broker stamped, of whoever and however long ago: as `sample`, but one that is late says
        nothing.
        """
        ahead = appended - heard * 1000
        if ahead > self._ahead - self._drift(heard):
            self._ahead, self._sampled = ahead, max(self._sampled, heard)

    def now(self) -> int:
        """Milliseconds; an append time that the broker has reached for certain."""
        now = self._clock.monotonic()
        return int(self._ahead - self._drift(now) + now * 1000)

    @property
    def age(self) -> float:
        """Seconds since the newest sample."""
        return self._clock.monotonic() - self._sampled

    def _drift(self, now: float) -> float:
        return max(0.0, now - self._sampled) * DRIFT_MS_PER_S if self._sampled > float("-inf") else 0.0


class Ends:
    """Looks up ends with a connection of its own: behind a long fetch on the same connection a look-up would wait for
    it.

    Reads uncommitted, on purpose: while a transaction is open on an input, records may still appear below its end.
    """

    def __init__(self, settings: Settings) -> None:
        self._arguments: dict[str, Any] = {
            **kafka.aiokafka_settings(settings),
            "isolation_level": "read_uncommitted",
            "enable_auto_commit": False,
            "request_timeout_ms": int(TIMEOUT_S * 1000),
        }
        self._consumer: Any = None

    async def start(self) -> None:
        """Connect. Raises aiokafka's KafkaConnectionError."""
        consumer = aiokafka.AIOKafkaConsumer(**self._arguments)
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def of(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        """The ends of these (topic, partition); None when the brokers do not answer."""
        asked = [TopicPartition(topic, partition) for topic, partition in partitions]
        try:
            ends = await asyncio.wait_for(self._consumer.end_offsets(asked), TIMEOUT_S)
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("the ends of the inputs cannot be looked up: %s", error or type(error).__name__)
            return None
        return {(one.topic, one.partition): end for one, end in ends.items()}

    async def beginnings(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        """The first offsets of these (topic, partition); None when the brokers do not answer."""
        asked = [TopicPartition(topic, partition) for topic, partition in partitions]
        try:
            starts = await asyncio.wait_for(self._consumer.beginning_offsets(asked), TIMEOUT_S)
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("the beginnings of the inputs cannot be looked up: %s", error or type(error).__name__)
            return None
        return {(one.topic, one.partition): start for one, start in starts.items()}
