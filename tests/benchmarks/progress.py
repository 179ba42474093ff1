"""How far a worker has come with its input, through both of its stages."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.stages import changelog_topic
from tests.benchmarks import stand
from tests.benchmarks.stand import Stand
from tests.benchmarks.workload import PARTITIONS


class Consumed:
    """Whether a worker has committed all events, and all that its device stage has told its user stage."""

    def __init__(self, on: Stand) -> None:
        self._users = f"{on.settings.topic_prefix}users"
        self._consumer = Consumer(
            {"bootstrap.servers": on.bootstrap, "group.id": on.settings.worker_id, "enable.auto.commit": False}
        )

    def __call__(self) -> bool:
        # In this order: what is there for the second stage is complete when the first has come to its end. Behind its
        # last records lie the markers of their transactions, which nobody commits: one of each partition at most.
        return self._committed("events", behind=0) and self._committed(self._users, behind=PARTITIONS)

    def _committed(self, topic: str, behind: int) -> bool:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        try:
            ends = [self._consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
            at = [place.offset for place in self._consumer.committed(places, timeout=10)]
        except KafkaException:
            return False
        return all(max(offset, 0) >= end - behind for offset, end in zip(at, ends, strict=True))

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()


def last_write(on: Stand) -> int:
    """When the user stage wrote last, milliseconds; 0 if never."""
    written = stand.read_all(on.bootstrap, changelog_topic(on.settings, "user"))
    return max((record.timestamp()[1] for record in written), default=0)
