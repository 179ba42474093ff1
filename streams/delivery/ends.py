"""Where partitions end, asked in the background: of one that is paused the client hears nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.settings import Settings

TIMEOUT_S = 5.0

Place = tuple[str, int]


class Ends:
    """Ends as they were heard last. Nothing here blocks; for one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AdminClient | None = None
        self._asked: dict[TopicPartition, Future[Any]] = {}
        self._known: dict[Place, int] = {}

    def of(self, places: Iterable[Place]) -> dict[Place, int]:
        """What is known by now of these; asks for what may have changed, so that the next call knows it."""
        wanted = list(places)
        if self._client is None:
            self._client = AdminClient(kafka.admin_settings(self._settings))
        self._client.poll(0)
        if all(future.done() for future in self._asked.values()):
            self._collect()
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = {TopicPartition(*place): latest for place in wanted}
            level = IsolationLevel.READ_COMMITTED
            self._asked = (
                self._client.list_offsets(asked, isolation_level=level, request_timeout=TIMEOUT_S) if asked else {}
            )
        return {place: self._known[place] for place in wanted if place in self._known}

    def _collect(self) -> None:
        for partition, future in self._asked.items():
            try:
                self._known[partition.topic, partition.partition] = future.result(0).offset
            except KafkaException:
                continue  # asked again at the next call

    def forget(self) -> None:
        """What is known, and what was asked for, is of partitions that are another's now."""
        self._asked, self._known = {}, {}
