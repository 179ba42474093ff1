"""Reading the counts: the newest record of each row, and the configurations that say what its names mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.config import DAY, Configuration
from schemas.report import ReportRow
from streams import kafka
from streams.config import topic as config_topic
from streams.config.compacted import read_to_end
from streams.errors import RUNTIME, Stop
from streams.local.reading import Reader
from streams.settings import Settings

ASK_SECONDS = 10.0
READ_SECONDS = 30.0

#: What a row's key begins with, when it is the sender's.
_ENDED = b'["ended"'

_row = msgspec.json.Decoder(ReportRow).decode

#: Rows by partition and key.
Found = dict[tuple[int, bytes], bytes]


def rows(settings: Settings, since: int | None = None) -> list[ReportRow]:
    """Every row that was written since a time (milliseconds; None: ever), as it stands now. Blocks; raises `Stop`.

    The senders' rows are those of an earlier moment than the workers': a job that is counted as ended is counted as
    decided, whatever happens meanwhile.
    """
    topic = kafka.Topics(settings.topic_prefix).report
    with Reader(settings, [topic], starts=_starts(settings, topic, since)) as reader:
        # What a transaction holds that has not ended by now may be half seen elsewhere: both wait for its end.
        found = _newest(reader.to_end(pending=True))
        later = _newest(reader.to_end(pending=True))
    found.update({place: value for place, value in later.items() if not place[1].startswith(_ENDED)})
    return [_decoded(topic, place, value) for place, value in found.items()]


def _newest(messages: Iterable[Message]) -> Found:
    found: Found = {}
    for message in messages:
        place = (message.partition() or 0, message.key() or b"")
        if (value := message.value()) is None:
            found.pop(place, None)
        else:
            found[place] = value
    return found


def _decoded(topic: str, place: tuple[int, bytes], value: bytes) -> ReportRow:
    try:
        return _row(value)
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
