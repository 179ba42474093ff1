"""Checks of Kafka: the brokers, the topics and how they are kept, and what lies in them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

from confluent_kafka import Message

from streams import broker, kafka, topics
from streams.engine.stages import STAGES, changelog_topic, owners_topic

from . import kept, reading, release
from .findings import Finding, ok, warning, worst, wrong
from .placed import Sample
from .site import Place, Site

#: Looked at in each partition of a source, from its end; fewer where there are many partitions.
NEWEST = 200
NEWEST_IN_ALL = 5_000
#: However short the time for an answer is, reading that many takes some (seconds).
LEAST_SECONDS = 5.0


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
        level = release.highest_level(settings, site.timeout)
        site.capped = release.caps_insync(level)
        yield ok(f"{found}, Kafka {release.release(level)}")
    except Exception as error:  # the other client library: what keeps it from connecting will keep the worker too
        yield wrong(
            f"{found}, but aiokafka, which the worker uses, cannot connect: {type(error).__name__} {error}".rstrip(),
            "look at RINGBACK_KAFKA_OPTIONS: both client libraries must be able to follow them",
        )


def inputs(site: Site) -> Iterator[Finding]:
    """The topics of the sources."""
    yield from kept.inputs(site.sources, site.look(source.topic for source in site.sources))


def ours(site: Site) -> Iterator[Finding]:
    """Our own topics and the changelogs: there, with the right counts, kept as the table says."""
    settings = site.settings
    rows = kafka.topic_table(settings.topic_prefix)
    changelogs = {stage: changelog_topic(settings, stage) for stage in STAGES}
    found = site.look([*(row.name for row in rows), *changelogs.values()])
    findings = [*kept.missing([row.name for row in rows], found), *_claims(site, owners_topic(settings))]
    if site.found_configuration:
        sources = list(site.sources)
        internal = topics.rekeyed_topics(settings.worker_id, sources).values()
        everything = {**found, **site.look([*(source.topic for source in sources), *internal])}
        partitions = site.partitions()
        largest = kafka.largest_state(settings.max_record_bytes)
        findings += kept.changelog(changelogs["device"], found, partitions, largest)
        users = kafka.users_partitions(partitions)
        findings += kept.changelog(changelogs["user"], found, users, largest, "the users topic must have")
    else:
        # What the inputs are is not known: judged by the counts that most of our own topics have.
        sources, everything = [], dict(found)
        counts = [found[row.name].partitions for row in rows if row.count == "input" and row.name in found]
        partitions = max(counts, key=counts.count, default=settings.partitions)
    as_found = {name: topics.Found(topic.partitions, topic.config) for name, topic in everything.items()}
    plan = topics.plan(sources, settings.topic_prefix, as_found, partitions, settings.worker_id)
    own = {topic.name for topic in plan.wanted if topic.ours}
    findings += [wrong(f"{one.topic}: {one.message}", one.remedy) for one in plan.problems if one.topic in own]
    names = site.names()
    findings += kept.retention(rows, found, [names.delivery, *names.retries()])
    count = len(site.admin.list_topics(timeout=site.timeout).brokers)
    findings += kept.replication(everything, kept.Cluster(count, settings.replication, site.capped))
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


def _claims(site: Site, name: str) -> Iterator[Finding]:
    """The topic that says who writes for which partition; the first worker makes it."""
    for topic in site.look([name]).values():
        for one in topics.claims_problems(name, topics.Found(topic.partitions, topic.config)):
            yield wrong(f"{name}: {one.message}", one.remedy)


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
            None if source.rekey else found[source.topic].partitions,
            settings.dead_letter_limit,
            kafka.partition_of,
        )
        for source in live.sources
        if source.topic in found
    }
    places = [(topic, number) for topic in samples for number in range(found[topic].partitions)]
    late: Counter[str] = Counter()
    try:
        for message in _newest(site, places):
            samples[message.topic() or ""].take(
                message.partition() or 0,
                message.offset() or 0,
                message.timestamp()[1],
                message.key(),
                message.value(),
            )
    except reading.Unread as unread:
        late.update(topic for topic, _ in unread.places)
    for topic, sample in samples.items():
        if sample.total or topic not in late:
            yield from sample.findings()
        if topic in late:
            yield warning(
                f"{topic}: {late[topic]} of {found[topic].partitions} partitions were not read to their end in time",
                "try again with a longer --timeout",
            )


def _newest(site: Site, places: list[Place]) -> Iterator[Message]:
    """The newest committed records of each partition. Raises KafkaException, TimeoutError, `reading.Unread`."""
    each = max(1, min(NEWEST, NEWEST_IN_ALL // max(1, len(places))))
    spans = {place: (max(start, end - each), end) for place, (start, end) in site.bounds(places).items()}
    return reading.committed(site.settings, spans, max(LEAST_SECONDS, 2 * site.timeout))
