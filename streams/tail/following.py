"""Reading the receipts: those that are there, the last ones, and what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.receipt import Receipt
from streams import kafka
from streams.errors import Stop
from streams.explain.scanning import PASSING, REMEDY, Place, Scanner, Span
from streams.settings import Settings
from streams.tail.asked import Asked, read
from streams.tail.last import Window, firsts
from streams.tail.ordering import Merge

BATCH = 2_000
#: What comes within so many seconds is put in order.
GATHER_SECONDS = 0.1
#: At the end of a partition the broker answers after so long, or as soon as there is something (ms).
FETCH_WAIT_MS = 250

#: Says what is no result.
Say = Callable[[str], None]


class Found(NamedTuple):
    """A receipt, and its own bytes."""

    receipt: Receipt
    value: bytes


class Receipts:
    """The receipts topic for one reader. Its methods block and raise `Stop`; for one thread. `say` is told of what
    cannot be read, and of an outage.
    """

    def __init__(self, settings: Settings, admin: AdminClient, asked: Asked, say: Say) -> None:
        self._settings, self._admin, self._asked, self._say = settings, admin, asked, say
        self._topic = kafka.Topics(settings.topic_prefix).receipts
        self._scanner = Scanner(settings, admin, lambda _read, _all: None)
        #: What there was when it was asked: following goes on behind it.
        self._spans = self._scanner.spans(self._places(), asked.since)
        self._outage = False

    def _places(self) -> list[Place]:
        try:
            # Asked for by name, a topic could be made by the broker itself.
            found = self._admin.list_topics(timeout=10.0).topics
        except KafkaException as error:
            raise Stop(f"{self._topic} cannot be read: {error.args[0].str()}", REMEDY) from error
        if self._topic not in found:
            raise Stop(f"there is no topic {self._topic}", "make the topics with `ringback topics create`")
        return [(self._topic, number) for number in found[self._topic].partitions]

    def there(self) -> Iterator[Found]:
        """Those that are there now, in the order of their times."""
        yield from self._merged({place: span.first for place, span in self._spans.items()}, self._ends())

    def last(self, count: int) -> list[Found]:
        """The last `count` of those that are there now."""
        windows = {place: Window(span.first, span.end, span.end) for place, span in self._spans.items()}
        kept: dict[Place, list[Found]] = {place: [] for place in windows}
        while count and (wanted := firsts(windows, count)):
            older = {place: Span(first, first, windows[place].first) for place, first in wanted.items()}
            found = self._between(older)
            for place, span in older.items():
                fitting = [one for one in found[place] if self._asked.wants(one.receipt)]
                kept[place] = [*fitting, *kept[place]][-count:]
                oldest = min((one.receipt.at for one in found[place]), default=windows[place].oldest)
                times = tuple(one.receipt.at for one in kept[place])
                windows[place] = windows[place]._replace(first=span.first, oldest=oldest, fitting=times)
        merge = Merge[Found](())
        for place, found_there in kept.items():
            for one in found_there:
                merge.put(place, one.receipt.at, one)
        return list(merge.take())[-count:] if count else []

    def _between(self, spans: dict[Place, Span]) -> dict[Place, list[Found]]:
        found: dict[Place, list[Found]] = {place: [] for place in spans}
        for message in self._scanner.read(spans):
            if (one := self._found(message)) is not None:
                found[_place(message)].append(one)
        return found

    def follow(self, *, from_start: bool) -> Iterator[list[Found]]:
        """What comes, for ever: a list at a time, empty ones too. `from_start`: what is there already comes first."""
        starts = {place: span.first if from_start else span.end for place, span in self._spans.items()}
        consumer = self._consumer(starts)
        merge = Merge[Found](starts)
        try:
            while True:
                for place, message in self._heard(consumer):
                    self._put(merge, place, message)
                yield list(merge.take())
        finally:
            consumer.close()

    def _ends(self) -> dict[Place, int]:
        return {place: span.end for place, span in self._spans.items()}

    def _merged(self, starts: dict[Place, int], ends: dict[Place, int]) -> Iterator[Found]:
        left = {place for place, end in ends.items() if starts[place] < end}
        if not left:
            return
        consumer = self._consumer({place: starts[place] for place in left})
        merge = Merge[Found](left)
        try:
            while left:
                for place, message in self._heard(consumer):
                    offset = ends[place] if message is None else message.offset() or 0
                    if offset < ends[place]:
                        self._put(merge, place, message)
                    if offset + 1 >= ends[place]:
                        self._put(merge, place, None)
                        left.discard(place)
                yield from merge.take()
        finally:
            consumer.close()

    def _consumer(self, starts: dict[Place, int]) -> Consumer:
        consumer = Consumer(
            kafka.consumer_settings(
                self._settings,
                group_id="reads-only",
                enable_partition_eof=True,
                allow_auto_create_topics=False,
                fetch_wait_max_ms=FETCH_WAIT_MS,
                error_cb=self._trouble,
            )
        )
        consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
        return consumer

    def _heard(self, consumer: Consumer) -> Iterator[tuple[Place, Message | None]]:
        """What has come: records, and (None) that a partition has no more for now."""
        try:
            messages = consumer.consume(BATCH, GATHER_SECONDS)
        except KafkaException as broken:
            raise Stop(f"{self._topic} cannot be read: {broken.args[0].str()}", REMEDY) from broken
        for message in messages:
            error = message.error()
            if error is None:
                self._outage = False
                yield _place(message), message
            elif error.code() == KafkaError._PARTITION_EOF:
                self._outage = False
                yield _place(message), None
            elif error.retriable() or error.code() in PASSING:
                self._trouble(error)
            else:
                raise Stop(f"{self._topic} cannot be read: {error.str()}", REMEDY)

    def _trouble(self, error: KafkaError) -> None:
        """The client goes on by itself once the broker is back; it is told once for each outage."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._outage:
            self._outage = True
            self._say("Kafka does not answer; waiting for it")

    def _put(self, merge: Merge[Found], place: Place, message: Message | None) -> None:
        """Into the order with a record that is asked for, or with the news of an end."""
        if message is None:
            merge.reached_end(place)
        elif (found := self._found(message)) is not None and self._asked.wants(found.receipt):
            merge.put(place, found.receipt.at, found)

    def _found(self, message: Message) -> Found | None:
        value = message.value()
        receipt = read(value)
        if isinstance(receipt, str):
            where = f"{self._topic} partition {message.partition()}, offset {message.offset()}"
            self._say(f"left out, since it is no receipt: {where}: {receipt}")
            return None
        return Found(receipt, value or b"")


def _place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0
