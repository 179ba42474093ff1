"""The jobs that have not ended, counted where they lie: in the delivery topic and the delay topics, behind and between
what the senders have committed.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.job import Job
from schemas.report import LAST_DAY, day_named
from streams import kafka
from streams.delivery.offsets import Tracker
from streams.errors import RUNTIME, Stop
from streams.local.reading import Reader
from streams.reports.totals import Jobs
from streams.settings import Settings

ASK_SECONDS = 10.0
PAUSE_SECONDS = 0.05
#: With more records to look at than this it is not looked: it would take longer than anybody waits for a check.
MOST = 200_000

Place = tuple[str, int]

_job = msgspec.json.Decoder(Job).decode


class State(NamedTuple):
    """How far the senders are, and where the topics end. Two equal ones: nothing was decided or settled between them.

    `committed`: the offset, None when there is none yet, and its metadata, which says what is finished above it.
    """

    committed: dict[Place, tuple[int | None, str | None]]
    ends: dict[Place, int]

    @property
    def records(self) -> int:
        """At most so many are unfinished."""
        return sum(max(0, end - (self.committed[place][0] or 0)) for place, end in self.ends.items())


class Delivery:
    """Looks at the delivery and delay topics without joining the senders' group. Blocks; raises `Stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        topics = kafka.Topics(settings.topic_prefix)
        self._topics = (topics.delivery, *topics.retries())
        self._consumer = Consumer(kafka.consumer_settings(settings, group_id=settings.sender_group))
        self._admin = AdminClient(kafka.admin_settings(settings))

    def state(self) -> State:
        """The state now."""
        try:
            known = self._consumer.list_topics(timeout=ASK_SECONDS).topics
            places = [(topic, number) for topic in self._topics if topic in known for number in known[topic].partitions]
            found = self._committed([TopicPartition(*place) for place in places])
            asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
            level = IsolationLevel.READ_UNCOMMITTED
            ends = self._admin.list_offsets(asked, isolation_level=level, request_timeout=ASK_SECONDS)
            return State(
                {(one.topic, one.partition): (one.offset if one.offset >= 0 else None, one.metadata) for one in found},
                {(one.topic, one.partition): future.result().offset for one, future in ends.items()},
            )
        except KafkaException as error:
            raise Stop(
                f"the delivery topics cannot be read: {error.args[0].str()}", "is Kafka there?", RUNTIME
            ) from error

    def _committed(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """What is committed of these, when no commit is under way. Raises KafkaException."""
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            found = self._consumer.committed(places, timeout=ASK_SECONDS) if places else []
            errors = [one.error for one in found if one.error is not None]
            if not errors:
                return list(found)
            if time.monotonic() > deadline:
                raise KafkaException(errors[0])
            time.sleep(PAUSE_SECONDS)

    def jobs(self, state: State) -> Counter[Jobs]:
        """The jobs that were unfinished then. Replays are none: they have ended before."""
        trackers = {place: Tracker(*place, 0, *committed) for place, committed in state.committed.items()}
        starts = {place: offset or 0 for place, (offset, _) in state.committed.items()}
        found: Counter[Jobs] = Counter()
        with Reader(self._settings, self._topics, starts=starts) as reader:
            for message in reader.to_end(pending=True):
                tracker = trackers.get((message.topic() or "", message.partition() or 0))
                if tracker is None or not tracker.take(message.offset() or 0):
                    continue
                if (job := _counted(message.value())) is not None:
                    found[job] += 1
        return found

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()


def _counted(value: bytes | None) -> Jobs | None:
    """Where the job counts; None for what is no job, and for what is none to the counts."""
    try:
        job = _job(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if job.replay or not 0 < job.day <= LAST_DAY:
        return None
    return Jobs(day_named(job.day), job.app_id, job.generation, job.partner, job.postback_id, job.event)
