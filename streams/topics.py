"""The topics that a configuration needs: what is missing, what is wrong, and making them.

`plan` is pure: from what should be and what is, what to do. The rest is a thin shell over the admin client.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.config import Source
from streams.errors import Stop
from streams.kafka import DAY_MS, Topics, topic_table

ADMIN_SECONDS = 30.0


class Found(NamedTuple):
    """A topic that exists: its number of partitions, and its configuration as far as it was read."""

    partitions: int
    config: Mapping[str, str] = {}


@dataclass(frozen=True)
class Wanted:
    """A topic that should be there. An input topic (`ours` false) is the user's: only its partitions are looked at."""

    name: str
    partitions: int
    ours: bool
    config: Mapping[str, str]


@dataclass(frozen=True)
class Problem:
    """A topic that cannot stay as it is, and the way out."""

    topic: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Plan:
    """What there is to do: `wanted` is every topic needed, `create` those of them that are missing."""

    wanted: tuple[Wanted, ...]
    create: tuple[Wanted, ...]
    problems: tuple[Problem, ...]


#: What must hold of our topics for the sender to be right. Retention is the user's to change.
ESSENTIAL = ("cleanup.policy", "message.timestamp.type")
#: A topic of ours may take larger records than it must, not only smaller ones.
LARGEST = "max.message.bytes"


#: How the topic is kept through which a rekeyed source goes. The broker's clock is heard from it; what has been applied
#: is deleted, which frees whole segments; and it takes what the original takes.
REKEYED_CONFIG = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * DAY_MS),
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": str(64 << 20),
    "max.message.bytes": "8388608",
}


def rekeyed_topic(worker_id: str, topic: str) -> str:
    """The internal topic of a rekeyed source. Workers of another id begin with empty state: they have one of their own,
    as they have changelogs of their own.
    """
    return f"{worker_id}-rekey-{topic}"


def rekeyed_topics(worker_id: str, sources: Iterable[Source]) -> dict[str, str]:
    """For the topic of each source that is rekeyed the internal one."""
    return {source.topic: rekeyed_topic(worker_id, source.topic) for source in sources if source.rekey}


def names(sources: Iterable[Source], prefix: str, worker_id: str) -> list[str]:
    """Every topic that `plan` wants to be told of."""
    sources = tuple(sources)
    internal = rekeyed_topics(worker_id, sources).values()
    return [*(source.topic for source in sources), *internal, *(row.name for row in topic_table(prefix))]


def inputs_of(sources: Iterable[Source], prefix: str, found: Mapping[str, Found], partitions: int) -> int:
    """How many partitions the inputs have: the sources that are not rekeyed; if there is none of them yet, what our own
    topics were made for; `partitions`, if there is nothing at all.
    """
    counts = [found[source.topic].partitions for source in sources if source.topic in found and not source.rekey]
    delivery = found.get(Topics(prefix).delivery)
    if not counts and delivery is not None and all(source.rekey for source in sources):
        return delivery.partitions
    return max(counts, default=partitions)


def plan(sources: Iterable[Source], prefix: str, found: Mapping[str, Found], partitions: int, worker_id: str) -> Plan:
    """Compare what `sources` need with what is `found`. `partitions` is for input topics when none exists yet.

    Input topics are what everything follows, since a record's state, jobs and receipts lie in partitions of the same
    number. A source that is rekeyed may have any count: its records go through a topic of ours, which bears the
    workers' id.
    """
    sources = tuple(sources)
    counts = {
        source.topic: found[source.topic].partitions for source in sources if source.topic in found and not source.rekey
    }
    inputs = inputs_of(sources, prefix, found, partitions)
    internal = rekeyed_topics(worker_id, sources).values()
    ours = {*internal, *(row.name for row in topic_table(prefix))}
    problems = [
        Problem(source.topic, "is a topic of Ringback's own, and a source", "give the source a topic of yours")
        for source in sources
        if source.topic in ours
    ]
    problems += _unequal(counts, inputs)
    # The order in which records count is that of the broker's clock: a producer's clock could make a record overtake.
    appended = {"message.timestamp.type": "LogAppendTime"}
    free = {
        source.topic: found[source.topic].partitions for source in sources if source.rekey and source.topic in found
    }
    wanted = [Wanted(source.topic, free.get(source.topic, inputs), False, appended) for source in sources]
    wanted += [Wanted(name, inputs, True, REKEYED_CONFIG) for name in internal]
    wanted += [Wanted(row.name, row.partitions(inputs), True, row.config()) for row in topic_table(prefix)]
    for topic in wanted:
        if topic.ours and topic.name in found:
            problems += _differences(topic, found[topic.name])
    return Plan(tuple(wanted), tuple(topic for topic in wanted if topic.name not in found), tuple(problems))


def _unequal(counts: Mapping[str, int], inputs: int) -> list[Problem]:
    """Input topics with fewer partitions than another: a device's records would lie in different numbers."""
    most = [topic for topic, count in counts.items() if count == inputs]
    return [
        Problem(
            topic,
            f"has {count} partitions, {most[0]} has {inputs}",
            f"give both the same number, or declare the source {topic} `rekey: true`: it goes through a topic of ours",
        )
        for topic, count in counts.items()
        if count != inputs
    ]


def _differences(wanted: Wanted, found: Found) -> Iterable[Problem]:
    """What keeps one of our topics from being used as it is."""
    name = wanted.name
    if found.partitions < wanted.partitions:
        yield Problem(
            name,
            f"has {found.partitions} partitions, expected {wanted.partitions} as the input topics have it",
            f"add partitions: kafka-topics.sh --alter --topic {name} --partitions {wanted.partitions}",
        )
    elif found.partitions > wanted.partitions:
        raised = "" if wanted.partitions == 1 else "give the input topics as many, "
        yield Problem(
            name,
            f"has {found.partitions} partitions, expected {wanted.partitions}; Kafka cannot take any away",
            f"{raised}delete it if it is empty, or choose another RINGBACK_TOPIC_PREFIX",
        )
    for key in (*ESSENTIAL, LARGEST):
        is_now, should = found.config.get(key), wanted.config.get(key)
        if should is None or is_now is None:
            continue
        if is_now != should if key != LARGEST else int(is_now) < int(should):
            yield Problem(
                name,
                f"{key} is {is_now}, expected {should}",
                f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={should}",
            )


def claims_problems(name: str, found: Found) -> Iterator[Problem]:
    """What keeps the topic of the workers' claims from being used as it is: claims in several partitions have no order,
    and one that is deleted protects nobody.
    """
    if found.partitions != 1:
        yield Problem(
            name,
            f"has {found.partitions} partitions, expected 1: it would not be known who claimed last",
            "stop all workers and delete it; the first worker that starts makes it anew",
        )
    policy = found.config.get("cleanup.policy", "compact")
    if policy != "compact":
        yield Problem(
            name,
            f"cleanup.policy is {policy}, expected compact: claims would be deleted, and nobody fenced off by them",
            f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config cleanup.policy=compact",
        )


def look(admin: AdminClient, names: Iterable[str]) -> dict[str, Found]:
    """Those of `names` that exist. Blocks; raises `Stop` when the broker refuses."""
    try:
        there = admin.list_topics(timeout=ADMIN_SECONDS).topics
        existing = [name for name in dict.fromkeys(names) if name in there]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in existing]
        configs = _configs(admin.describe_configs(resources)) if resources else {}
    except KafkaException as error:
        raise Stop(f"Kafka does not tell its topics: {error.args[0].str()}") from error
    return {name: Found(len(there[name].partitions), configs.get(name, {})) for name in existing}


def _configs(futures: Mapping[ConfigResource, Future[dict[str, object]]]) -> dict[str, dict[str, str]]:
    """Each topic's configuration. Whoever may not read it can still create topics, so a refusal leaves it out."""
    configs = {}
    for resource, future in futures.items():
        try:
            entries = future.result(ADMIN_SECONDS)
        except KafkaException:
            continue
        configs[resource.name] = {key: str(getattr(entry, "value", "")) for key, entry in entries.items()}
    return configs


def create(admin: AdminClient, wanted: Iterable[Wanted], replication: int) -> None:
    """Make topics; returns when all of them have leaders. One that somebody else has just made is as good. Raises
    `Stop`.
    """
    new = [NewTopic(topic.name, topic.partitions, replication, config=dict(topic.config)) for topic in wanted]
    if not new:
        return
    failures = []
    for name, future in admin.create_topics(new, operation_timeout=ADMIN_SECONDS).items():
        try:
            future.result(ADMIN_SECONDS * 2)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                failures.append(f"{name}: {error.args[0].str()}")
    if failures:
        remedy = "look at the broker's rights and limits" + (
            f", and RINGBACK_REPLICATION (now {replication}): no more than there are brokers" if replication > 1 else ""
        )
        raise Stop("topics could not be created:\n" + "\n".join(failures), remedy)
    _wait_for_leaders(admin, {topic.topic: topic.num_partitions for topic in new})


def _wait_for_leaders(admin: AdminClient, counts: Mapping[str, int]) -> None:
    deadline = time.monotonic() + ADMIN_SECONDS
    while time.monotonic() < deadline:
        there = admin.list_topics(timeout=ADMIN_SECONDS).topics
        if all(name in there and _led(there[name].partitions, count) for name, count in counts.items()):
            return
        time.sleep(0.05)
    raise Stop("the topics were created, but have no leaders yet", "look at the brokers, and run it again")


def _led(partitions: Mapping[int, object], count: int) -> bool:
    return len(partitions) >= count and all(getattr(one, "leader", -1) >= 0 for one in partitions.values())
