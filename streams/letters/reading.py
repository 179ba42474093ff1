"""Reading the dead letters: what is committed, up to the end as it is now, as a member of no group.

The topic is read twice, first for the notes of what was replayed or purged, then for the letters that are left; so no
letter needs to be remembered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.dead_letter import Note
from streams import kafka, topics
from streams.errors import Stop
from streams.explain.scanning import Place, Scanner, Span, Tell
from streams.settings import Settings, duration_text

from . import found
from .asked import Asked
from .found import Address, Done, Found

#: The clocks of who writes letters may differ by so much (ms): from so much earlier on is read.
SKEW = 600_000
#: A job that is named is looked for so long before (ms) the time that is asked for.
EARLIER = 86_400_000
#: A sender's transaction is over, or aborted by the coordinator, after so long (seconds) at most.
SETTLED_SECONDS = 20.0
ASK_SECONDS = 10.0


class DeadLetters:
    """The topic as it was found. All methods block and raise `Stop`; for one thread."""

    def __init__(self, settings: Settings, admin: AdminClient, tell: Tell) -> None:
        self.topic = kafka.Topics(settings.topic_prefix).dead_letters
        there = topics.look(admin, [self.topic]).get(self.topic)
        if there is None:
            raise Stop(
                f"there is no topic {self.topic}",
                "look at RINGBACK_TOPIC_PREFIX and RINGBACK_BOOTSTRAP_SERVERS; `ringback topics create` makes it",
            )
        self.partitions = there.partitions
        self._admin = admin
        self._kept = there.config.get("retention.ms", "")
        self.scanner = Scanner(settings, admin, tell)
        #: Records that are neither a letter nor a note.
        self.strange = 0

    @property
    def kept(self) -> str:
        """How long letters are kept, in words."""
        known = self._kept.isdigit() and int(self._kept) > 0
        return f"kept for {duration_text(int(self._kept))}" if known else "kept as long as the topic says"

    def spans(self, asked: Asked) -> dict[Place, Span]:
        """Where what is asked for may lie. Raises `Stop` for an address outside of the topic's partitions."""
        numbers: Iterable[int] = range(self.partitions)
        if asked.addresses and not asked.job_ids:
            numbers = sorted({at.partition for at in asked.addresses})
            if wrong := [at for at in asked.addresses if at.partition >= self.partitions]:
                raise Stop(
                    f"there is no dead letter {wrong[0]}: {self.topic} has the partitions 0 to {self.partitions - 1}",
                    "`ringback dlq ls --each` lists letters with their addresses",
                )
        # An open letter of a job that is named must be seen, also when the job is asked for expressly: without a note
        # it would stay open, and be replayed once more.
        earlier = SKEW + EARLIER if asked.job_ids else SKEW
        since = None if asked.since is None else asked.since - earlier
        spans = self.scanner.spans([(self.topic, number) for number in numbers], since)
        if asked.job_ids:
            return spans
        for at in sorted(asked.addresses, reverse=True):
            span = spans[self.topic, at.partition]
            first = min(max(at.offset, span.begin), span.end)
            spans[self.topic, at.partition] = span._replace(first=first)
        return spans

    def done(self, spans: Mapping[Place, Span]) -> Done:
        """What the notes of these spans say."""
        done = Done({number: span.first for (_, number), span in spans.items()})
        for at, made in self.notes(spans):
            done.take(at, made)
        return done

    def settled(self, places: Iterable[Place]) -> dict[Place, Span]:
        """What there is of these partitions once every transaction that is open in them now has ended: a note may lie
        behind a letter that a sender has not committed yet. Waits for that up to `SETTLED_SECONDS`.
        """
        places = list(places)
        ends = self._ends(places)
        deadline = time.monotonic() + SETTLED_SECONDS
        while True:
            spans = self.scanner.spans(places, None)
            if all(spans[place].end >= end for place, end in ends.items()):
                return spans
            if time.monotonic() > deadline:
                raise Stop(
                    f"a transaction in {self.topic} is open for more than {SETTLED_SECONDS:g} s: what lies behind it "
                    "cannot be seen",
                    "senders end theirs within seconds; `kafka-transactions.sh find-hanging` finds one that hangs",
                )
            time.sleep(0.05)

    def _ends(self, places: list[Place]) -> dict[Place, int]:
        """Where the partitions end, with what is not committed."""
        asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}  # type: ignore[no-untyped-call]
        try:
            found = self._admin.list_offsets(asked, request_timeout=ASK_SECONDS) if asked else {}
            return {(place.topic, place.partition): one.result().offset for place, one in found.items()}
        except KafkaException as error:
            raise Stop(f"{self.topic} cannot be read: {error.args[0].str()}", "is Kafka there?") from error

    def notes(self, spans: Mapping[Place, Span]) -> Iterator[tuple[Address, Note]]:
        """The notes of these spans, each with where it lies."""
        for message in self.scanner.read(spans):
            made = found.note(message.value())
            if made is not None:
                yield Address(message.partition() or 0, message.offset() or 0), made

    def letters(self, spans: Mapping[Place, Span], done: Done, asked: Asked) -> Iterator[Found]:
        """The letters that are asked for and not done, by partition and offset."""
        for message in self.scanner.read(spans):
            value = message.value()
            at = Address(message.partition() or 0, message.offset() or 0)
            letter = found.letter(value)
            if letter is None:
                self.strange += found.note(value) is None
            elif at not in done and asked.means(at, letter):
                yield Found(at, letter)

    def story(self, spans: Mapping[Place, Span], asked: Asked) -> list[tuple[Found, list[Note]]]:
        """The letters that are asked for, done or not, each with the notes that speak of it."""
        told: list[tuple[Found, list[Note]]] = []
        for message in self.scanner.read(spans):
            value = message.value()
            at = Address(message.partition() or 0, message.offset() or 0)
            made, letter = found.note(value), found.letter(value)
            if made is not None:
                for one, notes in told:
                    if found.concerns(made, at, one.address):
                        notes.append(made)
            elif letter is not None and asked.means(at, letter):
                told.append((Found(at, letter), []))
        return told
