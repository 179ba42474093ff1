"""The consumer groups: who is in them, and what they have not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams import kafka

from . import reading, verdicts
from .findings import Finding
from .site import Place, Site

#: As few offsets are read, to tell records from the ends of transactions and what the check of the clock leaves.
LOOKED_THROUGH = 200
READ_SECONDS = 3.0

#: Of a broker that has just started, or on which nobody has had a group yet; asked again, it knows.
PASSING = frozenset(
    {KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR}
)
PAUSE_SECONDS = 0.1


def groups(site: Site) -> Iterator[Finding]:
    """Members and lag of the workers and of the senders."""
    settings, names = site.settings, site.names()
    read = {
        ("worker", settings.worker_id): [source.topic for source in site.sources],
        ("sender", settings.sender_group): [names.delivery, *names.retries()],
    }
    for (role, group), topics in read.items():
        try:
            state, members = _members(site, group)
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            yield verdicts.untold_group(role, group, f"{cause.str().rstrip(': ')} ({cause.name()})")
        else:
            yield verdicts.group(role, group, state, members, _lag(site, group, topics))


def _members(site: Site, group: str) -> tuple[str, int]:
    """The group's state and its number of members; one that nobody has joined yet has none. Raises KafkaException."""
    deadline = time.monotonic() + site.timeout
    while True:
        try:
            return asyncio.run(_described(site, group))
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return "Dead", 0
            if code not in PASSING or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


async def _described(site: Site, group: str) -> tuple[str, int]:
    """With aiokafka: librdkafka 2.16 ends the process when it describes a group whose broker was started anew."""
    admin = AIOKafkaAdminClient(**kafka.aiokafka_settings(site.settings))
    try:
        async with asyncio.timeout(site.timeout * 2):
            await admin.start()
            [answer] = await admin.describe_consumer_groups([group])
    except (errors.KafkaError, TimeoutError) as error:
        raise KafkaException(KafkaError(getattr(error, "errno", None) or KafkaError._TIMED_OUT)) from error
    finally:
        await admin.close()
    code, _, state, _, _, members, *_ = answer.groups[0]
    if code:
        raise KafkaException(KafkaError(code))
    return state, len(members)


def _lag(site: Site, group: str, topics: Sequence[str]) -> int | None:
    """How many records the group has not committed as read; None when that cannot be told."""
    found = site.look(topics)
    places = [(name, number) for name in found for number in range(found[name].partitions)]
    if not places:
        return None
    consumer = Consumer(kafka.asking_settings(site.settings, group))
    try:
        positions = consumer.committed([TopicPartition(*place) for place in places], timeout=site.timeout)
        between = site.bounds(places)
    except KafkaException:
        return None
    finally:
        consumer.close()
    if any(position.error is not None for position in positions):
        return None
    spans: dict[Place, tuple[int, int]] = {}
    for position in positions:
        start, end = between[position.topic, position.partition]
        spans[position.topic, position.partition] = (max(start, position.offset), end)
    lag = sum(max(0, end - start) for start, end in spans.values())
    return _records(site, spans, lag) if lag <= LOOKED_THROUGH else lag


def _records(site: Site, spans: dict[Place, tuple[int, int]], most: int) -> int:
    """How many of `most` offsets are committed records; all, when they cannot be read."""
    try:
        return sum(1 for _ in reading.committed(site.settings, spans, max(READ_SECONDS, site.timeout)))
    except (KafkaException, reading.Unread):
        return most
