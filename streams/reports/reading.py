"""Reading the counts: the newest record of each row, and the configurations that say what its names mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.config import DAY, Configuration
from schemas.report import UNTOLD, ReportRow, UntoldMark
from streams import kafka
from streams.config import topic as config_topic
from streams.config.compacted import read_to_end
from streams.errors import RUNTIME, Stop
from streams.local.reading import Reader
from streams.settings import Settings

ASK_SECONDS = 10.0
READ_SECONDS = 30.0
#: Workers tell what they have counted within about a second, with a backlog when the batch under way is through. When
#: they have not after so many seconds, none is there, or none gets on.
TELL_SECONDS = 15.0

#: What a row's key begins with, when it is the sender's.
_ENDED = b'["ended"'

_row = msgspec.json.Decoder(ReportRow).decode
_mark = msgspec.json.Decoder(UntoldMark).decode
T = TypeVar("T")

#: Partition and key.
Place = tuple[int, bytes]


class Counted(NamedTuple):
    """The rows, and the marks of partitions whose worker has not told all that it has counted."""

    rows: list[ReportRow]
    behind: list[UntoldMark]


def counted(settings: Settings, since: int | None = None, patience: float | None = None) -> Counted:
    """Every row that was written since a time (milliseconds; None: ever), as it stands now. Blocks, also for what is
    untold, at most for `patience` seconds (None: as long as a worker may take); raises `Stop`.

    The senders' rows are those of an earlier moment than the workers': a job that is counted as ended is counted as
    decided, whatever happens meanwhile. Unless some are behind: of what these decide, only the end may be counted.
    """
    topic = kafka.Topics(settings.topic_prefix).report
    found = _Found()
    with Reader(settings, [topic], starts=_starts(settings, topic, since)) as reader:
        # What a transaction holds that has not ended by now may be half seen elsewhere: both wait for its end.
        found.take(reader.to_end(pending=True))
        found.has_ended = True
        found.take(reader.to_end(pending=True))
        # Whatever was decided before now is told when each mark that stands now has been taken away, or set anew.
        awaited = dict(found.marks)
        deadline = time.monotonic() + (TELL_SECONDS if patience is None else patience)
        while behind := {place for place, mark in awaited.items() if found.marks.get(place) is mark}:
            if time.monotonic() >= deadline:
                break
            found.take(reader.more())
    return Counted(
        [_decoded(topic, place, value, _row) for place, value in found.rows.items()],
        [_decoded(topic, place, awaited[place], _mark) for place in sorted(behind)],
    )


class _Found:
    """The newest record of each row and of each mark. From `has_ended` on senders' rows stay as they are."""

    def __init__(self) -> None:
        self.rows: dict[Place, bytes] = {}
        self.marks: dict[Place, bytes] = {}
        self.has_ended = False

    def take(self, messages: Iterable[Message]) -> None:
        """These come behind those before."""
        for message in messages:
            place = (message.partition() or 0, message.key() or b"")
            if self.has_ended and place[1].startswith(_ENDED):
                continue
            newest = self.marks if place[1].startswith(UNTOLD) else self.rows
            if (value := message.value()) is None:
                newest.pop(place, None)
            else:
                newest[place] = value


def _decoded(topic: str, place: Place, value: bytes, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        where = f"{topic} partition {place[0]}, key {place[1]!r}"
        raise Stop(f"a row of the report cannot be read ({where}): {error}", "who else writes there?") from error


def _starts(settings: Settings, topic: str, since: int | None) -> Mapping[tuple[str, int], int]:
    """The first offset of each partition that was written at that time or later. A row's day is never later than the
    day on which it is written, but for clocks that differ: hence a day more.
    """
    if since is None:
        return {}
    consumer = Consumer(kafka.consumer_settings(settings, group_id="reads-only"))
    try:
        # Asked for by name, a topic could be made by the broker itself; one that is missing is the reader's to tell.
        known = consumer.list_topics(timeout=ASK_SECONDS).topics
        numbers = known[topic].partitions if topic in known else {}
        asked = [TopicPartition(topic, number, max(0, since - DAY)) for number in numbers]
        found = consumer.offsets_for_times(asked, timeout=ASK_SECONDS) if asked else []
        return {
            (topic, one.partition): one.offset
            if one.offset >= 0
            else consumer.get_watermark_offsets(TopicPartition(topic, one.partition), timeout=ASK_SECONDS)[1]
            for one in found
        }
    except KafkaException as error:
        raise Stop(f"{topic} cannot be read: {error.args[0].str()}", "is Kafka there?", RUNTIME) from error
    finally:
        consumer.close()


def configurations(settings: Settings) -> list[Configuration]:
    """Every generation that is kept, oldest first. Blocks; raises `Stop`."""
    reader = config_topic.Reader()
    records = read_to_end(settings, kafka.Topics(settings.topic_prefix).config, READ_SECONDS)
    return [one for key, value in records if isinstance(one := reader.feed(key, value), Configuration)]
