"""What must be right before anything is consumed. Blocking; each check raises `Stop` with the remedy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.config import Source
from streams import kafka, topics
from streams.engine.recovery import Abandoned
from streams.engine.stages import (
    STAGES,
    Processors,
    Stage,
    StageName,
    changelog_topic,
    owners_topic,
    rekeyer_changelog,
    users_source,
)
from streams.engine.store import TOMBSTONES_KEPT_MS
from streams.errors import Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S = 5.0
#: Few and small records, all of which are read at a start.
OWNERS_CONFIG = {
    "cleanup.policy": "compact",
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
}


def changelog_config(settings: Settings) -> dict[str, str]:
    """How a changelog is kept: the newest record of each key, for ever. Outdated ones are kept few and segments small,
    because a recovery reads them all.
    """
    return {
        "cleanup.policy": "compact",
        "message.timestamp.type": "LogAppendTime",
        "min.cleanable.dirty.ratio": str(settings.changelog_dirty_ratio),
        "segment.bytes": str(settings.changelog_segment),
        "max.compaction.lag.ms": str(settings.changelog_compaction_lag),
        "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
        "max.message.bytes": "8388608",
    }


def wait_for_kafka(settings: Settings, stopped: Callable[[], bool], tell: Callable[[str], None]) -> AdminClient:
    """Returns when the brokers answer; `tell` is given the reason each time they do not. Raises `Abandoned` when
    `stopped()`.
    """
    admin = AdminClient(kafka.admin_settings(settings))
    while not stopped():
        try:
            admin.list_topics(timeout=ASK_S)
            return admin
        except KafkaException as exception:
            tell(f"Kafka at {settings.bootstrap_servers} does not answer ({exception.args[0].str()}); trying again")
    raise Abandoned


def check_topics(admin: AdminClient, settings: Settings, sources: tuple[Source, ...]) -> int:
    """How many partitions the inputs have. Raises `Stop`: a topic is missing, a count is not what it must be, or one
    is kept wrongly.
    """
    names = kafka.Topics(settings.topic_prefix)
    inputs = [source.topic for source in sources]
    if not inputs:
        raise Stop("the configuration has no source", "add one to `sources` and `ringback apply` it")
    written = (names.users, names.delivery, names.dead_letters, names.decisions, names.report)
    internal = topics.rekeyed_topics(settings.worker_id, sources).values()
    found = topics.look(admin, [*inputs, *internal, *written])
    if missing := [name for name in (*inputs, *written) if name not in found]:
        raise Stop(f"topics are missing: {', '.join(missing)}", "create them: `ringback topics create`")
    plan = topics.plan(sources, settings.topic_prefix, found, settings.partitions, settings.worker_id)
    if plan.problems:
        raise Stop(
            "; ".join(f"{problem.topic} {problem.message}" for problem in plan.problems),
            "; ".join(dict.fromkeys(problem.remedy for problem in plan.problems)),
        )
    return topics.inputs_of(sources, settings.topic_prefix, found, settings.partitions)


def make_stages(
    admin: AdminClient, settings: Settings, processors: Processors, sources: tuple[Source, ...], inputs: int
) -> tuple[Stage, Stage]:
    """Both stages, for so many partitions of the inputs, with the topics that are theirs alone. Blocks; raises
    `Stop`.
    """
    counts = {"device": inputs, "user": kafka.users_partitions(inputs)}
    changelogs = {name: ensure_changelog(admin, settings, name, counts[name]) for name in STAGES}
    ensure_owners(admin, settings)
    rekeyed = topics.rekeyed_topics(settings.worker_id, sources)
    if rekeyed:
        ensure_rekeying(admin, settings, rekeyed.values(), inputs)
    return (
        Stage("device", sources, counts["device"], changelogs["device"], processors.device, rekeyed=rekeyed),
        Stage("user", (users_source(settings),), counts["user"], changelogs["user"], processors.user, internal=True),
    )


def ensure_owners(admin: AdminClient, settings: Settings) -> None:
    """Create the topic that says who writes for which partition, unless it is there. Raises `Stop` when it is kept as
    no topic of claims may be.
    """
    wanted = topics.Wanted(owners_topic(settings), 1, True, OWNERS_CONFIG)
    found = topics.look(admin, [wanted.name])
    if not found:
        topics.create(admin, [wanted], settings.replication)
        # Somebody else may have made it meanwhile, as a broker does for whoever writes to a topic that is not there.
        found = topics.look(admin, [wanted.name])
    for problem in topics.claims_problems(wanted.name, found[wanted.name]) if found else ():
        raise Stop(f"the topic {problem.topic} {problem.message}", problem.remedy)


def ensure_rekeying(admin: AdminClient, settings: Settings, internal: Iterable[str], partitions: int) -> None:
    """Create the topics through which rekeyed sources go, and the one of their markers, unless they are there."""
    markers = topics.Wanted(rekeyer_changelog(settings), 1, True, changelog_config(settings))
    wanted = [markers, *(topics.Wanted(name, partitions, True, topics.REKEYED_CONFIG) for name in internal)]
    found = topics.look(admin, [topic.name for topic in wanted])
    topics.create(admin, [topic for topic in wanted if topic.name not in found], settings.replication)


class _Words(NamedTuple):
    """How a stage is spoken of: what its state is of, and what its changelog must have as many partitions as."""

    keyed: str
    inputs: str
    have: str


_WORDS: dict[StageName, _Words] = {
    "device": _Words("devices", "the sources", "have"),
    "user": _Words("users", "the users topic", "has"),
}


def ensure_changelog(admin: AdminClient, settings: Settings, stage: StageName, partitions: int) -> str:
    """Create a stage's changelog unless it is there; its name. Raises `Stop` when its partitions are not as many."""
    name = changelog_topic(settings, stage)
    words = _WORDS[stage]
    count = _counts(admin).get(name)
    if count is None:
        topic = NewTopic(name, partitions, settings.replication, config=changelog_config(settings))
        try:
            admin.create_topics([topic])[name].result(ASK_S * 6)
            log.info("the changelog %s was created with %d partitions", name, partitions)
        except KafkaException as exception:
            if exception.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Stop(
                    f"the changelog {name} could not be created: {exception.args[0].str()}",
                    f"allow it, or create it yourself: compacted, LogAppendTime, as many partitions as {words.inputs}",
                ) from exception
        return name
    if count != partitions:
        raise Stop(
            f"{words.inputs} {words.have} {partitions} partitions, but the state was built for {count} (topic {name}): "
            f"{words.keyed} would be looked for in the wrong place",
            "go back to the old number; or begin with empty state under a new RINGBACK_WORKER_ID; or copy the inputs "
            "into topics of the new number under a new RINGBACK_WORKER_ID",
        )
    return name


def _counts(admin: AdminClient) -> dict[str, int]:
    try:
        metadata = admin.list_topics(timeout=ASK_S * 6)
    except KafkaException as exception:
        raise Stop(f"the topics cannot be listed: {exception.args[0].str()}") from exception
    return {name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.error is None}
