"""The consumer groups: who is in them, and what they have not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from . import verdicts
from .findings import Finding
from .site import Site, bounds


def groups(site: Site) -> Iterator[Finding]:
    """Members and lag of the workers and of the senders."""
    settings, names = site.settings, site.names()
    read = {
        ("worker", settings.worker_id): [source.topic for source in site.sources],
        ("sender", settings.sender_group): [names.delivery, *names.retries()],
    }
    for (role, group), topics in read.items():
        state, members = _members(site, group)
        yield verdicts.group(role, group, state, members, _lag(site, group, topics))


def _members(site: Site, group: str) -> tuple[str, int]:
    """The group's state and its number of members; one that nobody has joined yet has none."""
    asked = site.admin.describe_consumer_groups([group], request_timeout=site.timeout)
    try:
        described = asked[group].result(site.timeout * 2)
    except KafkaException:
        return "DEAD", 0
    return described.state.name, len(described.members)


def _lag(site: Site, group: str, topics: Sequence[str]) -> int | None:
    """How many records the group has not committed as read; None when that cannot be told."""
    found = site.look(topics)
    places = [(name, number) for name in found for number in range(found[name].partitions)]
    if not places:
        return None
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
    asked = site.admin.list_consumer_group_offsets([wanted], request_timeout=site.timeout)
    try:
        committed = asked[group].result(site.timeout * 2).topic_partitions
    except KafkaException:
        return None
    between = bounds(site.admin, places, site.timeout)
    lag = 0
    for place in committed or ():
        start, end = between[place.topic, place.partition]
        lag += max(0, end - max(start, place.offset))
    return lag
