"""Making the config topic say what a directory says, in one transaction; and what that would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from schemas.config import Configuration
from streams import kafka, logs, topics
from streams.clock import Clock, SystemClock
from streams.config import follow, topic
from streams.config.compacted import MissingTopic, Unreachable
from streams.config.diff import Change, Difference, difference
from streams.config.load import load_directory
from streams.errors import USAGE, Stop
from streams.settings import Settings

log = logs.get(__name__)

ANSWER_SECONDS = 30.0

#: What a producer meets when another one with its transactional id has come.
FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.CONCURRENT_TRANSACTIONS,
    }
)


@dataclass(frozen=True)
class Applied:
    """What an apply did. Nothing to change: `written` is false and `generation` the one that stays in force."""

    generation: int
    written: bool
    added: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()


class WouldRemove(Stop):
    """The directory lacks what is in force, and nobody said that it may go."""

    def __init__(self, removed: tuple[Change, ...]) -> None:
        lines = [f"{len(removed)} would be removed:", *(f"  {change}" for change in removed)]
        super().__init__("\n".join(lines), "add --prune to remove them; nothing was changed", USAGE)
        self.removed = removed


def load(settings: Settings, directory: str | Path) -> Configuration:
    """The configuration that a directory says, none of whose sources is a topic of ours.

    Raises `ConfigurationErrors`.
    """
    return load_directory(directory, {row.name for row in kafka.topic_table(settings.topic_prefix)})


class Plan(NamedTuple):
    """What an apply would change: the configuration in force (None: there is none), and the one that would be."""

    current: Configuration | None
    new: Configuration
    difference: Difference


def plan(settings: Settings, directory: str | Path) -> Plan:
    """What `apply` would change. Blocks, writes nothing; raises `streams.errors.Stop`."""
    new = load(settings, directory)
    try:
        current = follow.read_current(settings)
    except MissingTopic:
        current = None
    return Plan(current, new, difference(current, new))


def apply(settings: Settings, directory: str | Path, prune: bool = False, clock: Clock | None = None) -> Applied:
    """Put what a directory says in force. Blocks until Kafka has it whole; raises `streams.errors.Stop`, and then
    nothing is changed.

    1. Read the directory: a mistake stops it before Kafka is asked.
    2. Open the transactional producer, which fences every other apply: from here on nobody else can write.
    3. Read the generation in force to the topic's end, and compare.
    4. Write the new generation in one transaction, its generation record last, with tombstones for those no longer
    kept.
    """
    new = load(settings, directory)
    ensure_topic(settings)
    producer = _open_producer(settings)
    current, keys = follow.read(settings)
    changes = difference(current, new)
    if current is not None and not changes:
        return Applied(current.generation, written=False)
    removed = changes.of("removed")
    if removed and not prune:
        raise WouldRemove(removed)
    # A generation that could not be read has a number too.
    generation = 1 + max((number for key in keys if (number := topic.generation_of(key)) is not None), default=0)
    whole = Configuration(
        generation=generation, sources=new.sources, apps=new.apps, partners=new.partners, postbacks=new.postbacks
    )
    records = [*topic.encode(whole, (clock or SystemClock()).now()), *topic.outdated(sorted(keys), generation)]
    _write(settings, producer, records)
    log.info("configuration applied", generation=generation, changes=len(changes.changes))
    return Applied(generation, True, changes.of("added"), changes.of("changed"), removed)


def ensure_topic(settings: Settings) -> None:
    """Make the config topic when there is none: the first apply comes before every other topic is known.

    Raises `Stop`.
    """
    name = kafka.Topics(settings.topic_prefix).config
    row = next(row for row in kafka.topic_table(settings.topic_prefix) if row.name == name)
    admin = AdminClient(kafka.admin_settings(settings, error_cb=lambda _error: None))
    try:
        # Asked for by name, a topic could be made by the broker itself, with its own defaults.
        there = admin.list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        raise Unreachable(settings, error.args[0].str()) from error
    if name not in there:
        topics.create(admin, [topics.Wanted(name, row.partitions(1), True, row.config())], settings.replication)


def _open_producer(settings: Settings) -> Producer:
    producer = Producer(
        kafka.producer_settings(
            settings, transactional_id=f"{settings.topic_prefix}apply", error_cb=lambda _error: None
        )
    )
    try:
        producer.init_transactions(ANSWER_SECONDS)
    except KafkaException as error:
        raise _stopped(settings, error) from error
    return producer


def _write(settings: Settings, producer: Producer, records: Iterable[topic.Record]) -> None:
    name = kafka.Topics(settings.topic_prefix).config
    try:
        producer.begin_transaction()
        for key, value in records:
            while True:
                try:
                    producer.produce(name, value=value, key=key, partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
    except KafkaException as error:
        _abort(producer)
        raise _stopped(settings, error) from error
    try:
        # Fails, and commits nothing, when a record could not be written.
        producer.commit_transaction(ANSWER_SECONDS)
    except KafkaException as error:
        if error.args[0].retriable():
            remedy = "run it again: it says whether there is anything left to change"
            raise Stop("Kafka did not say whether the configuration was written", remedy) from error
        _abort(producer)
        raise _stopped(settings, error) from error


def _abort(producer: Producer) -> None:
    """Take back what was written at once: an open transaction would hide what comes after it until it times out."""
    try:
        producer.abort_transaction(ANSWER_SECONDS)
    except KafkaException as error:
        log.warning("the transaction could not be taken back", error=str(error))


def _stopped(settings: Settings, error: KafkaException) -> Stop:
    reason: KafkaError = error.args[0]
    if reason.code() in FENCED:
        return Stop("another apply came in between; nothing was changed", "run it again")
    if reason.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
        return Unreachable(settings, reason.str())
    return Stop(f"the configuration could not be written: {reason.str()}; nothing was changed")
