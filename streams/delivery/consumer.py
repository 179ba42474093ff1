"""Reads the delivery topic and the delay topics, in a thread of its own.

All of them are read by one member of one group with the range assignor, so that partition n of each lies with the
same sender. The delivery topic is read as long as there is room in memory. Of a delay topic only the head is looked
at: when it is not due yet, the partition is paused until it is.

Rebalances are eager: a revoke stops everything, waits within a deadline for what is in flight, commits, and lets go;
the next assignment starts at the committed offsets and knows from their metadata what is finished above them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import TopicMetadata

from streams import kafka, logs
from streams.clock import SystemClock
from streams.errors import Stop
from streams.metrics import Metrics
from streams.settings import Settings

from .ends import Ends
from .lag import Lag
from .offsets import Tracker

log = logs.get(__name__)

#: A long wait for a full batch is latency for those that are there; the client's cost per call is small.
BATCH = 500
WAIT_SECONDS = 0.01
#: Without room it is looked again after this time (seconds) when a lane has run out of jobs, after that one while all
#: have some left: each look makes the event loop wait for this thread, and each batch costs the same.
HURRIED_SECONDS = 0.002
UNHURRIED_SECONDS = 0.01
#: Without room for so long the member keeps polling with everything paused, so that it is not thrown out of the group.
STALL_SECONDS = 2.0
#: Of so many assignments before the newest one it is known in whose name they commit.
GENERATIONS = 16
#: Of a delay partition so many records are read at most before most of them have been looked at: what gathered while no
#: sender ran comes due all at once, and is read faster than it is worked on. More than `heads.FEW`.
UNOPENED = 2_000
#: How often the lag is measured.
MEASURE_SECONDS = 2.0


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read; `tier` is None for the delivery topic. `appended`: the broker's time in milliseconds."""

    tracker: Tracker
    tier: int | None
    offset: int
    appended: int
    key: bytes | None
    value: bytes | None


class Reader(Protocol):
    """What the consumer tells, from its own thread."""

    def room(self) -> int:
        """How many jobs more there is memory for."""
        ...

    def hungry(self) -> bool:
        """Whether a lane has run out of jobs since this was asked last."""
        ...

    def due(self, tier: int, appended: int) -> bool:
        """Whether a record of a delay topic is to be looked at now."""
        ...

    def assigned(self, trackers: list[Tracker], share: float) -> None:
        """These partitions are ours from now on; `share` is the part of the delivery topic that is."""
        ...

    def taken(self, records: list[Taken]) -> None:
        """These records were read."""
        ...

    def unread(self, records: dict[str, int]) -> None:
        """So many records of each delay topic are not read yet."""
        ...

    def revoked(self, trackers: list[Tracker]) -> None:
        """These partitions go: blocks until what is in flight has ended and is committed, or the deadline is over."""
        ...

    def lost(self, trackers: list[Tracker]) -> None:
        """These partitions are gone: nothing can be committed for them any more."""
        ...


class Intake:
    """The consumer and its thread. `fatal` is called with the reason when it cannot go on."""

    def __init__(
        self, settings: Settings, reader: Reader, metrics: Metrics, fatal: Callable[[Exception], None]
    ) -> None:
        topics = kafka.Topics(settings.topic_prefix)
        self._tiers = {name: tier for tier, name in enumerate(topics.retries())}
        self._delivery = topics.delivery
        self._reader = reader
        self._metrics = metrics
        self._fatal = fatal
        self._stopping = threading.Event()
        self._trackers: dict[tuple[str, int], Tracker] = {}
        self._lags: dict[tuple[str, int], Lag] = {}
        self._ends = Ends(settings)
        self._clock = SystemClock()
        self._epoch = 0
        self._paused: set[tuple[str, int]] = set()
        #: How many records of a delay partition were read since few of them were left.
        self._unopened: Counter[tuple[str, int]] = Counter()
        self._resume: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._stalled_since: float | None = None
        self._measured = 0.0
        self._total = 0
        more = {"group_instance_id": settings.instance_id} if settings.instance_id else {}
        self.consumer = Consumer(
            kafka.consumer_settings(
                settings,
                group_id=settings.sender_group,
                partition_assignment_strategy="range",
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
                max_poll_interval_ms=300_000,
                fetch_wait_max_ms=100,
                fetch_queue_backoff_ms=20,
                # How else to know that nothing but the ends of transactions is left to read?
                enable_partition_eof=True,
                fetch_message_max_bytes=512 * 1024,
                queued_max_messages_kbytes=1024,
                queued_min_messages=max(1, min(settings.prefetch, 10_000)),
                **more,
            )
        )
        # Read here, in the consumer's own thread: asked for from another one, the client lets that wait while this one
        # reads on and on.
        self._groups: dict[int, object] = {0: self.consumer.consumer_group_metadata()}
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Join the group and read. Raises `Stop` when the topics are not there."""
        self._total = self._partitions()
        self._thread.start()

    def _partitions(self) -> int:
        while True:
            try:
                known = self.consumer.list_topics(timeout=10).topics
                break
            except KafkaException as error:
                log.warning("Kafka cannot be reached, trying again", reason=error.args[0].str())
                self._metrics.kafka_errors_total.labels("metadata").inc()
                if self._stopping.wait(1.0):
                    return 0
        wanted = (self._delivery, *self._tiers)
        check_there(known, wanted)
        counts = {name: len(known[name].partitions) for name in wanted}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
            raise Stop(
                f"the delivery and delay topics differ in their partitions ({listed})", "give all the same count"
            )
        return counts[self._delivery]

    def group(self, epoch: int) -> object:
        """The group's metadata with the generation of the assignment `epoch` (0: before the first one). What an
        assignment has settled is committed in its name, or not at all: in the name of a later one Kafka would take it,
        while the partition is another sender's. For one that is long past it is the oldest that is still known: it is
        refused as well. From any thread.
        """
        groups = self._groups
        return groups[epoch] if epoch in groups else groups[min(one for one in groups if one)]

    def resume(self, topic: str, partition: int) -> None:
        """Most of what was read of a delay partition has been looked at: read on. From any thread."""
        with self._lock:
            self._resume.add((topic, partition))

    def stop(self) -> None:
        """Read nothing more; the membership stays until `close`."""
        self._stopping.set()

    def close(self) -> None:
        """Leave the group (a static member stays in it). Blocks."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()
        self.consumer.close()

    def _run(self) -> None:
        try:
            self.consumer.subscribe(
                [self._delivery, *self._tiers],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._stopping.is_set():
                self._step()
        except Exception as error:
            log.error("the consumer stopped", reason=str(error))
            self._fatal(error)

    def _step(self) -> None:
        self._resume_heads()
        self._measure()
        room = self._reader.room()
        if room <= 0 and self._trackers:
            self._stall()
            return
        if self._stalled_since is not None:
            self._end_stall()
        messages = self.consumer.consume(max(1, min(BATCH, room)), WAIT_SECONDS)
        if messages:
            self._deliver(messages)

    def _measure(self) -> None:
        """The lag of the delivery topic, by what the client last heard of its ends, and what is unread of the delay
        topics.
        """
        now = time.monotonic()
        if now < self._measured + MEASURE_SECONDS:
            return
        self._measured = now
        for (topic, partition), lag in self._lags.items():
            start, end = self.consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            if end < 0 or topic != self._delivery:
                continue
            behind, age = lag.measured(start, end, self._clock.now())
            self._metrics.lag_records.labels(topic, str(partition)).set(behind)
            self._metrics.lag_seconds.labels(topic, str(partition)).set(age)
        self._measure_delays()

    def _measure_delays(self) -> None:
        """Delay topics always lag, since they wait: how far is told as the jobs that wait."""
        unread = dict.fromkeys((topic for topic, _ in self._lags if topic != self._delivery), 0)
        for (topic, partition), end in self._ends.of(place for place in self._lags if place[0] in unread).items():
            start, _ = self.consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            unread[topic] += self._lags[topic, partition].measured(start, end, self._clock.now())[0]
        self._reader.unread(unread)

    def _deliver(self, messages: list[Message]) -> None:
        records: list[Taken] = []
        waiting: set[tuple[str, int]] = set()
        read: dict[tuple[str, int], tuple[int, int]] = {}
        place = ("", -1)
        tracker: Tracker | None = None
        tier: int | None = None
        for message in messages:
            here = (message.topic() or "", message.partition() or 0)
            if here != place:
                # Messages come partition by partition.
                place, tracker, tier = here, self._trackers.get(here), self._tiers.get(here[0])
            offset = message.offset() or 0
            if (error := message.error()) is not None:
                if place in read:
                    self._lags[place].read(*read.pop(place))
                self._noted(error, place, offset)
                continue
            if tracker is None or not tracker.open:
                continue
            appended = message.timestamp()[1]
            read[place] = (offset, appended)
            if tier is not None and place not in self._paused:
                self._unopened[place] += 1
                if self._unopened[place] >= UNOPENED or not self._reader.due(tier, appended):
                    waiting.add(place)
            records.append(Taken(tracker, tier, offset, appended, message.key(), message.value()))
        for one, newest in read.items():
            self._lags[one].read(*newest)
        if waiting:
            self._paused |= waiting
            self.consumer.pause([TopicPartition(*one) for one in waiting])
        if records:
            self._reader.taken(records)

    def _noted(self, error: KafkaError, place: tuple[str, int], offset: int) -> None:
        if error.code() != KafkaError._PARTITION_EOF:
            self._note(error)
        elif (lag := self._lags.get(place)) is not None:
            lag.stood_at(offset)

    def _note(self, error: KafkaError) -> None:
        if error.fatal():
            raise KafkaException(error)
        log.warning("Kafka reports", reason=error.str())
        self._metrics.kafka_errors_total.labels("consume").inc()

    def _resume_heads(self) -> None:
        if not self._resume:
            return
        with self._lock:
            few, self._resume = self._resume, set()
        for place in few:
            self._unopened.pop(place, None)
        if places := few & self._paused:
            self._paused -= places
            self.consumer.resume([TopicPartition(*place) for place in places])

    def _stall(self) -> None:
        """No room: wait a little; when it lasts, poll with everything paused."""
        now = time.monotonic()
        if self._stalled_since is None:
            self._stalled_since = now
        if now - self._stalled_since < STALL_SECONDS:
            time.sleep(HURRIED_SECONDS if self._reader.hungry() else UNHURRIED_SECONDS)
            return
        if assignment := self.consumer.assignment():
            self.consumer.pause(assignment)
        messages = self.consumer.consume(1, 0.05)
        if messages:
            self._deliver(messages)

    def _end_stall(self) -> None:
        stalled, self._stalled_since = self._stalled_since, None
        if stalled is not None and time.monotonic() - stalled >= STALL_SECONDS:
            places = [place for place in self._trackers if place not in self._paused]
            self.consumer.resume([TopicPartition(*place) for place in places])

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._epoch += 1
        kept = {epoch: group for epoch, group in self._groups.items() if not 0 < epoch < self._epoch - GENERATIONS}
        self._groups = {**kept, self._epoch: consumer.consumer_group_metadata()}
        found = self._committed(consumer, partitions)
        trackers = []
        for one in found:
            known = one.offset >= 0
            tracker = Tracker(
                one.topic, one.partition, self._epoch, one.offset if known else None, one.metadata if known else None
            )
            self._trackers[one.topic, one.partition] = tracker
            self._lags[one.topic, one.partition] = Lag(tracker.following or 0, self._clock.now())
            trackers.append(tracker)
        consumer.assign(
            [TopicPartition(p.topic, p.partition, p.offset if p.offset >= 0 else OFFSET_BEGINNING) for p in found]
        )
        # The client keeps a pause over a rebalance; nobody would ever end it.
        consumer.resume(found)
        self._paused.clear()
        self._unopened.clear()
        self._stalled_since = None
        mine = sum(topic == self._delivery for topic, _ in self._trackers)
        log.info("assigned", partitions=mine, of=self._total)
        self._reader.assigned(trackers, mine / self._total if self._total else 1.0)

    def _committed(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        while partitions:
            try:
                found = consumer.committed(partitions, timeout=10)
                if all(one.error is None for one in found):
                    return list(found)
                reason = next(one.error.str() for one in found if one.error is not None)
            except KafkaException as error:
                reason = error.args[0].str()
            log.warning("committed offsets cannot be read, trying again", reason=reason)
            if self._stopping.wait(0.2):
                break
        return []

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._reader.revoked(self._forget(partitions))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions lost", count=len(partitions))
        self._reader.lost(self._forget(partitions))

    def _forget(self, partitions: list[TopicPartition]) -> list[Tracker]:
        places = [(one.topic, one.partition) for one in partitions]
        self._paused -= set(places)
        for place in places:
            self._lags.pop(place, None)
        # Others tell of them from now on. All go at once, the assignment being eager.
        self._metrics.lag_records.clear()
        self._metrics.lag_seconds.clear()
        self._ends.forget()
        return [tracker for place in places if (tracker := self._trackers.pop(place, None)) is not None]


def check_there(known: Mapping[str, TopicMetadata], wanted: Iterable[str]) -> None:
    """Raises `Stop` when one of the topics that are `wanted` is not among those that Kafka knows."""
    if missing := [name for name in wanted if name not in known or known[name].error is not None]:
        raise Stop(f"topics are missing: {', '.join(missing)}", "make them with `ringback topics create`")
