"""One rekeyed source, from its topic into the internal one: blocking, in a thread of its own.

It is to the source what a checkpoint is to a partition. Exactly one rekeyer writes for a source, whoever wrote before
is fenced off; records and the marker that says how far the original has been read appear in one transaction or not at
all; the marker lies in a changelog and is read, behind a barrier, before anything else (see `recovery`).
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.config import App, Source
from streams import kafka
from streams.clock import Clock
from streams.engine import rekey
from streams.engine.changelog import BARRIER_KEY
from streams.engine.changelog import consumer as changelog_consumer
from streams.engine.faults import FaultPoints
from streams.engine.producer import BarrierProducer, Place, TransactionalProducer, Trouble
from streams.engine.progress import BrokerClock
from streams.engine.recovery import Abandoned, Marker
from streams.engine.rekey import Original, Pace, Passage, Router
from streams.errors import Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

#: A batch follows the one before it no sooner than this (seconds), unless a full one is waiting.
LINGER_S = 0.02
#: A record that waits for the end of another partition has it looked up again after so long (seconds).
LOOK_PAUSE_S = 0.005
ASK_S = 5.0
RETRY_S = 0.5
#: How often it is asked whether the original has got more partitions (seconds).
COUNT_EVERY_S = 10.0
#: The marker is looked for in so many of the newest changelog records, then in ten times as many.
MARKER_WITHIN = 1_000
#: Records that are taken from the client at once.
FETCH = 2_000
AHEAD_KIB = 16_384

#: What neither librdkafka nor waiting mends: the original may not be read, or what was to be read next is gone.
FINAL = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._AUTO_OFFSET_RESET})


class Grown(Exception):
    """The original topic has more partitions than before: begin anew."""


class Way(NamedTuple):
    """Where a rekeyer works. `partitions`: how many the internal topic has; `others`: the topics of the other sources;
    `number`: the position of the source among those that are rekeyed.
    """

    source: Source
    internal: str
    changelog: str
    partitions: int
    others: tuple[str, ...]
    number: int = 0

    @property
    def home(self) -> int:
        """Whoever has this partition of the device stage runs the rekeyer."""
        return self.number % self.partitions


class Means(NamedTuple):
    """What the rekeyers of a process share."""

    settings: Settings
    clock: Clock
    barriers: BarrierProducer
    faults: FaultPoints
    trouble: Trouble
    #: Told how many records were rekeyed, from the rekeyer's thread.
    counted: Callable[[int], object]


class Rekeyer:
    """Rekeys one source while `run` runs. `stop` and `configure` may be called from any thread."""

    def __init__(self, way: Way, means: Means, apps: Iterable[App]) -> None:
        self.way, self._means = way, means
        self._reached = partial(means.faults.reached, "rekey")
        self._stopping = False
        #: By partition how many records wait, and the append time of the oldest one at hand.
        self.lag: Mapping[int, tuple[int, int | None]] = {}
        self.broker_clock = BrokerClock(means.clock)
        #: When it last got on, or had nothing to do (monotonic seconds).
        self.moved_at = means.clock.monotonic()
        self.configure(apps)

    def __str__(self) -> str:
        return f"the rekeyer of {self.way.source.topic}"

    @property
    def transactional_id(self) -> str:
        """Whoever writes under this id is the only rekeyer of the source."""
        return f"{self._means.settings.worker_id}-rekey-{self.way.source.topic}"

    def configure(self, apps: Iterable[App]) -> None:
        """Place by these apps from the next batch on."""
        way = self.way
        limit = self._means.settings.max_record_bytes
        self._router = Router(way.source, apps, limit, way.partitions, kafka.partition_of)

    def start(self) -> None:
        """It may run from now on."""
        self._stopping = False
        self.moved_at = self._means.clock.monotonic()

    def stop(self) -> None:
        """Let `run` return when what is under way is committed."""
        self._stopping = True

    def _stopped(self) -> bool:
        return self._stopping

    def run(self) -> None:
        """Until `stop`. Raises `Stop`, `Fenced`, `Refused` or KafkaException: then nothing half is done, and it may be
        run again.
        """
        while not self._stopping:
            admin = AdminClient(kafka.admin_settings(self._means.settings))
            try:
                _Run(self, self._means, admin).run()
            except Grown:
                log.info("%s: the topic has more partitions than before", self)
            except Abandoned:
                return

    # -- used by _Run only

    def reached(self, step: str) -> None:
        self._reached(step)

    @property
    def router(self) -> Router:
        return self._router


class _Run:
    """From one recovery to the next."""

    def __init__(self, of: Rekeyer, means: Means, admin: AdminClient) -> None:
        self._of, self._means, self._admin, self._way = of, means, admin, of.way
        self._settings, self._monotonic = means.settings, means.clock.monotonic
        self._clock = of.broker_clock
        self._reach = [(of.way.changelog, 0), *((of.way.internal, number) for number in range(of.way.partitions))]
        self._producer = TransactionalProducer(self._settings, of.transactional_id, means.trouble)
        # What it tells is true for ever, so that it needs no transaction, and nothing is lost when it is not heard.
        self._teller = Producer(kafka.producer_settings(self._settings, linger_ms=0, message_timeout_ms=10_000))
        self._pace = Pace()
        self._passage = Passage({})
        self._originals: list[tuple[str, int]] = []
        self._others: list[tuple[str, int]] = []
        self._paused: frozenset[int] = frozenset()
        self._next_batch_at = 0.0
        #: When the ends were looked up, or that was given up.
        self._looked_at = self._asked_at = float("-inf")
        self._look_pause = 0.0
        self._next_count_at = self._monotonic() + COUNT_EVERY_S

    def run(self) -> None:
        positions = self._recover()
        self._passage = Passage(positions)
        consumer = self._consumer()
        try:
            topic = self._way.source.topic
            consumer.assign([TopicPartition(topic, number, at) for number, at in positions.items()])
            log.info(
                "%s: ready; from %s", self._of, ", ".join(f"{number}: {at}" for number, at in sorted(positions.items()))
            )
            while not self._of._stopped():
                self._read(consumer)
                self._rekey()
                self._hold_back(consumer)
                self._look()
                self._tell()
        finally:
            consumer.close()
            self._teller.flush(0.5)

    # -- from the assignment to the first record

    def _recover(self) -> dict[int, int]:
        """The order is that of `recovery.Recovery`: fence, mark, and only then read what was written before."""
        stopped = self._of._stopped
        try:
            self._producer.start(stopped)
            self._producer.end_what_hangs(self._reach, stopped)
            own = self._of.transactional_id.encode()
            barrier = self._means.barriers.write(self._way.changelog, 0, BARRIER_KEY, own, stopped)
        except KafkaException:
            if stopped():
                raise Abandoned from None
            raise
        self._of.reached("barrier")
        self._clock.sample(barrier.appended, barrier.heard)
        row = self._marker_before(barrier.offset)
        self._of.reached("recovered")
        known = {int(number): at for number, at in Marker.decode(row).positions.items()}
        self._originals = self._all_originals()
        self._others = self._count_all(self._way.others)
        starts, ends = self._insist(OffsetSpec.earliest()), self._insist(OffsetSpec.latest())  # type: ignore[no-untyped-call]
        positions, lost = rekey.begin(self._way.source, known, starts, ends)
        for number, count in lost.items():
            log.error(
                "%s: %d records of partition %d were deleted by its retention before they were read",
                self._of,
                count,
                number,
            )
        if positions != known:
            # A source that starts at its end must not start at a later end after a crash.
            self._write([], positions)
        return positions

    def _marker_before(self, barrier: int) -> bytes | None:
        """The newest marker of this source: near the end of a changelog that others write to as well."""
        within = MARKER_WITHIN
        while True:
            first = max(0, barrier - within)
            found = self._newest(first, barrier)
            if found is not None or first == 0:
                return found
            within *= 10

    def _newest(self, first: int, barrier: int) -> bytes | None:
        found: bytes | None = None
        key = self._way.source.topic.encode()
        reader = changelog_consumer(self._settings, f"{self._settings.worker_id}-rekey")
        try:
            reader.assign([TopicPartition(self._way.changelog, 0, first)])
            while True:
                if self._of._stopped():
                    raise Abandoned
                for message in reader.consume(FETCH, 0.1):
                    if message.error() is not None:
                        continue
                    if (message.offset() or 0) >= barrier:
                        return found
                    if message.key() == key:
                        found = message.value()
        finally:
            reader.close()

    def _all_originals(self) -> list[tuple[str, int]]:
        """All partitions of the original topic; waits until there is one. Of none nobody may say that it was read."""
        while not (found := self._count_all([self._way.source.topic])):
            log.warning("%s: the topic cannot be seen: deleted, or without the right to describe it", self._of)
            time.sleep(ASK_S)
        return found

    def _count_all(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        """All partitions of these topics. Waits while the brokers are away."""
        while not self._of._stopped():
            try:
                found = self._admin.list_topics(timeout=ASK_S).topics
                return [
                    (topic, number) for topic in topics if topic in found for number in sorted(found[topic].partitions)
                ]
            except KafkaException as error:
                self._away("metadata", error)
        raise Abandoned

    def _insist(self, spec: Any) -> dict[int, int]:
        while not self._of._stopped():
            if (found := self._offsets(self._originals, spec)) is not None:
                return {number: at for (_, number), at in found.items()}
            time.sleep(RETRY_S)
        raise Abandoned

    # -- what is read

    def _consumer(self) -> Consumer:
        return Consumer(
            kafka.consumer_settings(
                self._settings,
                group_id=f"{self._settings.worker_id}-rekey",
                enable_partition_eof=True,
                allow_auto_create_topics=False,
                # A position that is gone is an error: it is never replaced by another one silently.
                auto_offset_reset="error",
                queued_max_messages_kbytes=AHEAD_KIB,
                fetch_wait_max_ms=50,
                fetch_queue_backoff_ms=10,
            )
        )

    def _read(self, consumer: Consumer) -> None:
        first = consumer.poll(self._patience())
        if first is None:
            return
        records: dict[int, list[Original]] = defaultdict(list)
        positions: dict[int, int] = {}
        for message in (first, *consumer.consume(FETCH, 0)):
            number, offset, error = message.partition() or 0, message.offset() or 0, message.error()
            if error is None:
                records[number].append(_original(message))
                positions[number] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                # Behind what is no record too: the ends of transactions, and what they have given up.
                positions[number] = max(offset, positions.get(number, 0))
            elif error.fatal() or error.code() in FINAL:
                raise KafkaException(error)
            else:
                log.warning("%s: reading: %s", self._of, error.str())
        for number, position in positions.items():
            self._passage.feed(number, records[number], position)

    def _patience(self) -> float:
        """Seconds until something else is to be done than to wait for records."""
        now = self._monotonic()
        until = self._next_look()
        if len(self._passage) and self._passage.waits_after() is None:
            until = min(until, self._next_batch_at)
        if len(self._passage) >= self._settings.batch_records and self._passage.waits_after() is None:
            return 0.0
        return min(max(until - now, 0.0), Pace.IDLE_S)

    def _hold_back(self, consumer: Consumer) -> None:
        """Fetch nothing more of the partitions that have run ahead, and again of those that have not any more: that is
        so when records were taken, whether or not any came.
        """
        paused = self._passage.full()
        for change, numbers in ((consumer.pause, paused - self._paused), (consumer.resume, self._paused - paused)):
            if numbers:
                change([TopicPartition(self._way.source.topic, number) for number in numbers])
        self._paused = paused

    # -- what is written

    def _rekey(self) -> None:
        now = self._monotonic()
        if not len(self._passage) or (now < self._next_batch_at and len(self._passage) < self._settings.batch_records):
            return
        records = self._passage.take(self._settings.batch_records)
        if records:
            self._next_batch_at = now + LINGER_S
            self._of.reached("decided")
            self._write(records, self._passage.positions())
            self._of.reached("committed")
            self._means.counted(len(records))
            self._pace.wrote(self._monotonic())

    def _write(self, records: list[Original], positions: Mapping[int, int]) -> None:
        rows = self._of.router.rows(self._way.internal, records)
        marker = Marker({str(number): at for number, at in positions.items()}).encode()
        last = (self._way.changelog, self._way.source.topic.encode(), marker, 0)
        place: Place = self._producer.write(rows, last, self._of.reached)
        self._clock.sample(place.appended, place.heard)
        self._of.moved_at = self._monotonic()

    # -- how far it has come

    def _look(self) -> None:
        """Look up the ends, when it is time: for what waits here, for what waits elsewhere, and for the lag."""
        now = self._monotonic()
        if now < self._next_look():
            return
        self._looked_at, self._look_pause = now, 0.0
        # The moment is taken before the look-up: what was appended before it is below the ends that are found.
        moment, after = self._clock.now(), self._passage.waits_after()
        # Before that moment a look-up helps no record that waits; but others want to know how far this source is.
        if after is not None and moment <= after and now - self._asked_at < Pace.IDLE_S:
            return
        self._asked_at = now
        found = self._offsets([*self._originals, *self._others], OffsetSpec.latest())  # type: ignore[no-untyped-call]
        if found is None:
            self._look_pause = RETRY_S
            return
        ends = {number: found.pop((topic, number)) for topic, number in self._originals}
        self._passage.stood_at(ends, moment)
        now = self._monotonic()
        self._pace.saw(found, now)
        self._note_lag(ends, now)
        if now >= self._next_count_at:
            self._next_count_at = now + COUNT_EVERY_S
            if len(self._count_all([self._way.source.topic])) > len(self._originals):
                raise Grown

    def _next_look(self) -> float:
        """When the ends are looked up next: soon, if a record waits for them."""
        waits = self._passage.waits_after() is not None
        pause = LOOK_PAUSE_S if waits else self._pace.pause(self._looked_at)
        return self._looked_at + max(self._look_pause, pause)

    def _note_lag(self, ends: Mapping[int, int], now: float) -> None:
        at = self._passage.positions()
        oldest = self._passage.oldest
        self._of.lag = {number: (max(0, end - at[number]), oldest(number)) for number, end in ends.items()}
        if not any(lag for lag, _ in self._of.lag.values()):
            self._of.moved_at = now

    def _tell(self) -> None:
        now, before = self._monotonic(), self._passage.before()
        if not self._pace.worth(before, now):
            self._teller.poll(0)
            return
        value = rekey.passed(before)
        for number in range(self._way.partitions):
            try:
                self._teller.produce(self._way.internal, value, None, number, on_delivery=self._heard)
            except BufferError:
                break  # the brokers are away; what is true now will be later
        self._pace.told(before, now)
        self._teller.poll(0)

    def _heard(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._clock.sample(message.timestamp()[1], self._monotonic())

    def _offsets(self, places: list[tuple[str, int]], spec: Any) -> dict[tuple[str, int], int] | None:
        """Reads uncommitted, on purpose: while a transaction is open, records may still appear below its end. None when
        the brokers do not answer.
        """
        asked = {TopicPartition(*place): spec for place in places}
        try:
            found = self._admin.list_offsets(asked, request_timeout=ASK_S)
            return {(place.topic, place.partition): one.result().offset for place, one in found.items()}
        except KafkaException as error:
            self._away("ends", error)
            return None

    def _away(self, call: str, error: KafkaException) -> None:
        self._means.trouble(call)
        reason: KafkaError = error.args[0]
        if reason.code() in FINAL:
            raise Stop(f"{self._way.source.topic} cannot be read: {reason.str()}", "`ringback doctor` looks at it")
        log.warning("%s: %s cannot be looked up: %s", self._of, call, reason.str())


def _original(message: Message) -> Original:
    stamp = message.timestamp()[1]
    return Original(message.partition() or 0, message.offset() or 0, stamp, message.key(), message.value())
