"""Checks of Kafka: the brokers, the topics and how they are kept, and what lies in them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams import broker, kafka, topics
from streams.engine.startup import changelog_topic

from . import kept, release
from .findings import Finding, ok, warning, worst, wrong
from .placed import Sample
from .site import Place, Site, bounds

#: Looked at in each partition of a source, from its end.
NEWEST = 200
#: A silent fetch at the end of a partition should not make the user wait.
FETCH_WAIT_MS = 20


def brokers(site: Site) -> Iterator[Finding]:
    """Whether Kafka answers, how many brokers there are, and their version."""
    settings = site.settings
    # Said here once; the client says it ten times a second.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    admin = broker.reach(settings, site.timeout)
    site.found_admin = admin
    count = len(admin.list_topics(timeout=site.timeout).brokers)
    found = f"{settings.bootstrap_servers} answers, {count} broker{'s' if count > 1 else ''}"
    try:
        yield ok(f"{found}, Kafka {release.release(release.highest_level(settings, site.timeout))}")
    except Exception as error:  # the other client library: what keeps it from connecting will keep the worker too
        yield wrong(
            f"{found}, but aiokafka, which the worker uses, cannot connect: {type(error).__name__} {error}".rstrip(),
            "look at RINGBACK_KAFKA_OPTIONS: both client libraries must be able to follow them",
        )


def inputs(site: Site) -> Iterator[Finding]:
    """The topics of the sources."""
    yield from kept.inputs(site.sources, site.look(source.topic for source in site.sources))


def ours(site: Site) -> Iterator[Finding]:
    """Our own topics and the changelog: there, with the right counts, kept as the table says."""
    settings = site.settings
    rows = kafka.topic_table(settings.topic_prefix)
    changelog = changelog_topic(settings)
    found = site.look([*(row.name for row in rows), changelog])
    findings = list(kept.missing([row.name for row in rows], found))
    if site.found_configuration:
        sources = [source for source in site.sources if not source.rekey]
        everything = {**found, **site.look(source.topic for source in sources)}
        partitions = site.partitions()
        findings += kept.changelog(changelog, found, partitions)
    else:
        # What the inputs are is not known: judged by the counts that most of our own topics have.
        sources, everything = [], dict(found)
        counts = [found[row.name].partitions for row in rows if row.count == "input" and row.name in found]
        partitions = max(counts, key=counts.count, default=settings.partitions)
    as_found = {name: topics.Found(topic.partitions, topic.config) for name, topic in everything.items()}
    plan = topics.plan(sources, settings.topic_prefix, as_found, partitions)
    own = {row.name for row in rows}
    findings += [wrong(f"{one.topic}: {one.message}", one.remedy) for one in plan.problems if one.topic in own]
    names = site.names()
    findings += kept.retention(rows, found, [names.delivery, *names.retries()])
    count = len(site.admin.list_topics(timeout=site.timeout).brokers)
    findings += kept.replication(everything, kept.Cluster(count, settings.replication))
    if secret := [name for name, topic in everything.items() if not topic.config]:
        findings.append(
            warning(
                f"how {len(secret)} topics are kept may not be read: {secret[0]} …",
                "allow us DescribeConfigs on topics",
            )
        )
    if worst(one.verdict for one in findings) == "ok":
        findings.insert(0, ok(f"all {len(rows)} are there and kept as they must be"))
    yield from findings


def keys(site: Site) -> Iterator[Finding]:
    """Whether the newest records of each source lie where the device key says, and can be decoded."""
    live, settings = site.configuration, site.settings
    apps = {app.id: app for app in live.apps}
    found = site.look(source.topic for source in live.sources)
    samples = {
        source.topic: Sample(
            source,
            apps,
            settings.max_record_bytes,
            found[source.topic].partitions,
            settings.dead_letter_limit,
            kafka.partition_of,
        )
        for source in live.sources
        if source.topic in found
    }
    places = [(topic, number) for topic in samples for number in range(found[topic].partitions)]
    for message in _newest(site, places):
        samples[message.topic() or ""].take(
            message.partition() or 0,
            message.offset() or 0,
            message.timestamp()[1],
            message.key(),
            message.value(),
        )
    for sample in samples.values():
        yield from sample.findings()


def _newest(site: Site, places: list[Place]) -> Iterator[Message]:
    """The newest committed records of each partition. Raises KafkaException; TimeoutError when they come too slowly."""
    filled = {
        place: (start, end) for place, (start, end) in bounds(site.admin, places, site.timeout).items() if end > start
    }
    if not filled:
        return
    consumer = Consumer(
        kafka.consumer_settings(
            site.settings,
            group_id=f"{site.settings.topic_prefix}doctor",
            enable_partition_eof=True,
            allow_auto_create_topics=False,
            fetch_wait_max_ms=FETCH_WAIT_MS,
            error_cb=lambda _error: None,
        )
    )
    try:
        consumer.assign([TopicPartition(*place, max(start, end - NEWEST)) for place, (start, end) in filled.items()])
        yield from _until(consumer, {place: end for place, (_, end) in filled.items()}, max(5.0, 2 * site.timeout))
    finally:
        consumer.close()


def _until(consumer: Consumer, ends: dict[Place, int], seconds: float) -> Iterator[Message]:
    """What the consumer reads, until each partition was read to the end that it had: a busy one has no last record."""
    deadline = time.monotonic() + seconds
    while ends:
        if time.monotonic() > deadline:
            raise TimeoutError(f"({len(ends)} partitions were not read to their end)")
        for message in consumer.consume(1_000, 0.2):
            place, following = (message.topic() or "", message.partition() or 0), (message.offset() or 0) + 1
            if not _stands_at_end(message):
                yield message
            elif place in ends:
                del ends[place]
            if following >= ends.get(place, following + 1):
                del ends[place]


def _stands_at_end(message: Message) -> bool:
    """Whether this is no record but the news that there is none. Raises KafkaException for any other news."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is not None
