"""What the checks share: what one has found, a later one needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, OffsetSpec, ResourceType

from schemas.config import Configuration, Source
from streams import kafka, topics
from streams.settings import Settings

from .findings import Unknown
from .kept import Kept

#: A topic and the number of a partition of it.
Place = tuple[str, int]


def wall() -> int:
    """The machine's clock as it is this moment, milliseconds: the check of the clock wants no steadied one."""
    return time.time_ns() // 1_000_000


@dataclass
class Site:
    """The system that is looked at. `timeout`: seconds to wait for each answer of Kafka.

    The three that are None at first are set by the checks that find them; asking too early raises `Unknown`.
    `capped`: see `Cluster`.
    """

    timeout: float
    now: Callable[[], int] = wall
    found_settings: Settings | None = None
    found_admin: AdminClient | None = None
    found_configuration: Configuration | None = None
    capped: bool = True
    _topics: dict[str, Kept] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        if self.found_settings is None:
            raise Unknown("the settings cannot be read")
        return self.found_settings

    @property
    def admin(self) -> AdminClient:
        if self.found_admin is None:
            raise Unknown("Kafka cannot be reached")
        return self.found_admin

    @property
    def configuration(self) -> Configuration:
        if self.found_configuration is None:
            _ = self.admin  # without Kafka, that is the reason
            raise Unknown("there is no configuration that can be read")
        return self.found_configuration

    @property
    def sources(self) -> tuple[Source, ...]:
        """Those of the live configuration."""
        return self.configuration.sources

    def partitions(self) -> int:
        """How many the input topics have; what `topics create` would give them, if there are none."""
        prefix = self.settings.topic_prefix
        there = self.look([*(source.topic for source in self.sources), self.names().delivery])
        found = {name: topics.Found(topic.partitions) for name, topic in there.items()}
        return topics.inputs_of(self.sources, prefix, found, self.settings.partitions)

    def look(self, names: Iterable[str]) -> dict[str, Kept]:
        """Those of `names` that exist, in this order; asked for once. Blocks; raises KafkaException, TimeoutError."""
        wanted = list(dict.fromkeys(names))
        if unasked := [name for name in wanted if name not in self._topics]:
            self._topics |= _described(self.admin, unasked, self.timeout)
        return {name: self._topics[name] for name in wanted if name in self._topics}

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Where partitions begin, and where they end for readers of committed records: what lies behind an open
        transaction nobody can read yet. Blocks; raises KafkaException or TimeoutError.
        """
        return _bounds(self.admin, places, self.timeout)

    def names(self) -> kafka.Topics:
        """Our own topics."""
        return kafka.Topics(self.settings.topic_prefix)


def _described(admin: AdminClient, names: list[str], timeout: float) -> dict[str, Kept]:
    # Asked for one by one, a topic could be made by the broker, with the broker's defaults.
    there = admin.list_topics(timeout=timeout).topics
    existing = [name for name in names if name in there]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in existing]
    asked = admin.describe_configs(resources, request_timeout=timeout) if resources else {}
    configs = {resource.name: _config(future, timeout) for resource, future in asked.items()}
    found = {}
    for name in existing:
        partitions = there[name].partitions.values()
        found[name] = Kept(
            partitions=len(partitions),
            replicas=min((len(one.replicas) for one in partitions), default=0),
            leaderless=sum(one.leader < 0 for one in partitions),
            behind=sum(len(one.isrs) < len(one.replicas) for one in partitions),
            in_step=min((len(one.isrs) for one in partitions), default=0),
            config=configs[name],
        )
    return found


def _config(answer: Future[dict[str, ConfigEntry]], timeout: float) -> dict[str, str]:
    """A topic's configuration; empty when we may not read it."""
    try:
        return {key: str(entry.value) for key, entry in answer.result(timeout * 2).items()}
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
        return {}


def _bounds(admin: AdminClient, places: Iterable[Place], timeout: float) -> dict[Place, tuple[int, int]]:
    partitions = [TopicPartition(*place) for place in places]
    specs: list[OffsetSpec] = [OffsetSpec.earliest(), OffsetSpec.latest()]  # type: ignore[no-untyped-call]
    committed = IsolationLevel.READ_COMMITTED
    asked = [
        admin.list_offsets(dict.fromkeys(partitions, spec), isolation_level=committed, request_timeout=timeout)
        for spec in specs
    ]
    starts, ends = (
        {(one.topic, one.partition): future.result(timeout * 2).offset for one, future in answers.items()}
        for answers in asked
    )
    return {place: (starts[place], end) for place, end in ends.items()}
