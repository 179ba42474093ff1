"""Are the topics there, and are they kept as they must be? Pure: from what should be and what is, what it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.config import Source
from streams import kafka
from streams.settings import duration_text

from .findings import Finding, ok, warning, wrong

CREATE = "ringback topics create"
SET = "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {key}={value}"
REASSIGN = "kafka-reassign-partitions.sh gives topics more replicas"

#: Jobs wait in these; a sender that is away for longer than they are kept has lost what waited.
SHORTEST_FOR_JOBS = kafka.DAY_MS


class Kept(NamedTuple):
    """A topic that exists. `replicas` and `in_step`: the fewest of any partition, and the fewest that are in step;
    `leaderless` and `behind`: partitions without a leader, and with fewer replicas in step than they have. `config` is
    empty when it may not be read.
    """

    partitions: int
    replicas: int = 1
    leaderless: int = 0
    behind: int = 0
    config: Mapping[str, str] = {}
    in_step: int = 1


class Cluster(NamedTuple):
    """What is wanted of replication, and what there is. `capped`: the brokers count a `min.insync.replicas` that is
    larger than the number of replicas as that number, as Kafka does since 3.7.
    """

    brokers: int
    replication: int
    capped: bool = True


def inputs(sources: Sequence[Source], found: Mapping[str, Kept]) -> Iterator[Finding]:
    """The topics of the sources: there, equal in number, stamped by the broker."""
    if not sources:
        yield wrong("the configuration has no source", "add one to `sources` and `ringback apply` it")
    names = [source.topic for source in sources]
    yield from missing(names, found)
    there = [name for name in names if name in found]
    rekeyed = {source.topic for source in sources if source.rekey}
    yield from _unequal({name: found[name].partitions for name in there if name not in rekeyed})
    for name in there:
        stamp = found[name].config.get("message.timestamp.type", "LogAppendTime")
        if stamp != "LogAppendTime":
            yield warning(
                f"{name}: message.timestamp.type is {stamp}, LogAppendTime is better: a producer's clock can make a "
                "record overtake another",
                SET.format(topic=name, key="message.timestamp.type", value="LogAppendTime"),
            )
    for name in there:
        yield ok(f"{name}: {_count(found[name].partitions, 'partition')}{', rekeyed' if name in rekeyed else ''}")


def missing(names: Iterable[str], found: Mapping[str, Kept]) -> Iterator[Finding]:
    """Topics that are not there, in one finding."""
    if absent := [name for name in names if name not in found]:
        yield wrong(f"missing: {_list(absent)}", CREATE)


def _unequal(counts: Mapping[str, int]) -> Iterator[Finding]:
    most = max(counts.values(), default=0)
    largest = next((name for name, count in counts.items() if count == most), "")
    for name, count in counts.items():
        if count != most:
            yield wrong(
                f"{name} has {_count(count, 'partition')}, {largest} has {most}: a device's records lie in partitions "
                "of different numbers",
                f"declare the source {name} `rekey: true`, or give both the same number and feed it anew",
            )


def retention(rows: Iterable[kafka.TopicRow], found: Mapping[str, Kept], jobs: Iterable[str]) -> Iterator[Finding]:
    """Topics of ours that forget sooner than the table says; in `jobs`, where jobs wait, that can lose some."""
    waiting = frozenset(jobs)
    for row in rows:
        config = found[row.name].config if row.name in found else {}
        if row.retention is None or "retention.ms" not in config:
            continue
        if int(config.get("retention.bytes", "-1")) >= 0:
            yield warning(
                f"{row.name}: retention.bytes is {config['retention.bytes']}: a burst deletes what is not read yet",
                SET.format(topic=row.name, key="retention.bytes", value=-1),
            )
        kept = int(config["retention.ms"])
        if kept < 0 or kept >= row.retention:
            continue
        judge = wrong if row.name in waiting and kept < SHORTEST_FOR_JOBS else warning
        yield judge(
            f"{row.name}: retention.ms is {kept} ({duration_text(kept)}), expected {row.retention} "
            f"({duration_text(row.retention)}): what is older is lost",
            SET.format(topic=row.name, key="retention.ms", value=row.retention),
        )


def replication(found: Mapping[str, Kept], cluster: Cluster) -> Iterator[Finding]:
    """Leaders and replicas of all topics, the like ones in one finding each."""
    if dead := [name for name, topic in found.items() if topic.leaderless]:
        yield wrong(f"partitions without a leader: {_list(dead)}", "bring the brokers back that hold them")
    if behind := [name for name, topic in found.items() if topic.behind and not topic.leaderless]:
        yield warning(f"replicas are behind or away: {_list(behind)}", "look at the brokers")
    wanted = min(cluster.replication, cluster.brokers)
    if few := [name for name, topic in found.items() if topic.replicas < wanted]:
        yield warning(f"fewer than {wanted} replicas (RINGBACK_REPLICATION): {_list(few)}", REASSIGN)
    elif cluster.brokers > 1 and (alone := [name for name, topic in found.items() if topic.replicas == 1]):
        yield warning(f"one replica only, so that one broker's end loses them: {_list(alone)}", REASSIGN)
    for name, topic in found.items():
        if not topic.leaderless:
            yield from _in_step(name, topic, cluster.capped)


def _in_step(name: str, topic: Kept, capped: bool) -> Iterator[Finding]:
    """What min.insync.replicas means for a topic: with fewer in step, brokers refuse what must be written safely."""
    asked = int(topic.config.get("min.insync.replicas", "1"))
    counts = min(asked, topic.replicas) if capped else asked
    fewer = SET.format(topic=name, key="min.insync.replicas", value=max(1, topic.replicas - 1))
    if counts > topic.replicas:
        yield wrong(
            f"{name}: min.insync.replicas is {asked}, with {_count(topic.replicas, 'replica')} nothing can be written",
            fewer,
        )
    elif counts > topic.in_step:
        yield wrong(
            f"{name}: min.insync.replicas is {asked}, with {topic.in_step} of {_count(topic.replicas, 'replica')} in "
            "step nothing can be written",
            "bring the brokers back that hold the others",
        )
    elif counts == topic.replicas > 1:
        yield warning(
            f"{name}: min.insync.replicas is {asked}, with {_count(topic.replicas, 'replica')} the end of one broker "
            "stops all writing",
            fewer,
        )


def changelog(
    name: str, found: Mapping[str, Kept], partitions: int, largest: int, inputs: str = "the input topics have"
) -> Iterator[Finding]:
    """The topic of a stage's state; the first worker makes it. `largest`: the bytes that it must take; `inputs`: who
    has so many partitions.
    """
    topic = found.get(name)
    if topic is None:
        yield ok(f"{name} is not there yet; the first worker makes it")
        return
    if topic.partitions != partitions:
        yield wrong(
            f"{name} has {_count(topic.partitions, 'partition')}, {inputs} {partitions}: state would be "
            "looked for in the wrong place",
            "go back to the old number, or begin with empty state under a new RINGBACK_WORKER_ID",
        )
    policy = topic.config.get("cleanup.policy", "compact")
    if policy != "compact":
        yield wrong(
            f"{name}: cleanup.policy is {policy}, expected compact: state would be deleted",
            SET.format(topic=name, key="cleanup.policy", value="compact"),
        )
    taken = int(topic.config.get("max.message.bytes", largest))
    if taken < largest:
        yield wrong(
            f"{name}: max.message.bytes is {taken}, expected at least {largest}: the worker stops at a larger state",
            SET.format(topic=name, key="max.message.bytes", value=largest),
        )


def _list(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
