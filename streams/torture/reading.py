"""Reading the topics at the end: what the workers wrote, and what they must have written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from confluent_kafka import Message

from schemas.config import Configuration, Source
from streams import kafka
from streams.engine.output import Limits, Names
from streams.engine.raw import Raw
from streams.engine.stages import STAGES, StageName, changelog_topic, users_source
from streams.local.reading import Reader
from streams.replay.reading import Column, Inputs, raws
from streams.settings import Settings
from streams.torture.picture import Picture
from streams.torture.reference import Reference, Setup

#: Workers tell the counts of their last records within so many seconds, or never.
TELL_SECONDS = 20.0

Check = Callable[[], None]
#: Takes a record of a topic: partition, key, value.
Take = Callable[[int, bytes | None, bytes | None], None]


def seen(settings: Settings, check: Check) -> Picture:
    """What lies in the topics, read committed. Blocks; raises `Stop`, and what `check` raises."""
    names = kafka.Topics(settings.topic_prefix)
    picture = Picture()
    takes: dict[str, Take] = {
        names.delivery: lambda number, _key, value: picture.take_job(number, value or b""),
        names.users: lambda number, key, value: picture.take_told(number, key, value or b""),
        names.report: lambda number, key, value: picture.take_report(number, key or b"", value),
        names.dead_letters: lambda _number, _key, value: picture.take_letter(value or b""),
    }
    for stage in STAGES:
        takes[changelog_topic(settings, stage)] = partial(_take_row, picture, stage)
    with Reader(settings, takes, check=check) as reader:
        for message in _until_told(reader, picture):
            takes[message.topic() or ""](message.partition() or 0, message.key(), message.value())
    return picture


def _until_told(reader: Reader, picture: Picture) -> Iterator[Message]:
    """Up to the end, and on until the workers have told all counts."""
    yield from reader.to_end(pending=True)
    deadline = time.monotonic() + TELL_SECONDS
    while picture.untold and time.monotonic() < deadline:
        yield from reader.more()


def _take_row(picture: Picture, stage: StageName, number: int, key: bytes | None, value: bytes | None) -> None:
    picture.take_row(stage, number, key or b"", value)


def wanted(settings: Settings, configuration: Configuration, check: Check) -> Reference:
    """The records of the input topics, and of the users topic as it lies, through the rules. Blocks; raises `Stop`,
    and what `check` raises.
    """
    names = kafka.Topics(settings.topic_prefix)
    written = (names.delivery, names.decisions, names.dead_letters, names.users)
    limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
    setup = Setup(
        configuration,
        Names(*written, worker=settings.worker_id),
        limits,
        settings.decisions_level,
        settings.partitions,
    )
    reference = Reference(setup)
    with Inputs(settings, configuration.sources) as inputs:
        for number in range(settings.partitions):
            reference.devices(number, _fed(inputs.column(number), configuration.sources, check))
    users = users_source(settings)
    with Inputs(settings, [users]) as inputs:
        for number in range(inputs.partitions):
            reference.users(number, (records for _, records, _ in _fed(inputs.column(number), [users], check)))
    return reference


def _fed(column: Column, sources: Sequence[Source], check: Check) -> Iterator[tuple[str, list[Raw], bool]]:
    """The records of a partition's topics, whichever is behind; for each whether those are its last ones."""
    by_topic = {source.topic: source for source in sources}
    for topic in column.topics:
        if column.at_end(topic):
            yield topic, [], True
    while (behind := column.behind()) is not None:
        check()
        records = raws(column.next(behind), by_topic[behind], column.number)
        yield behind, records, column.at_end(behind)
