"""Who may write for a partition of a stage: one process at a time, whatever the others still believe.

A process writes under a transactional id of its own, one for all its partitions, that is never used again. Before it
reads a partition's state it claims the partition: a plain record in a topic of one partition, which puts all claims in
one order. Whoever claimed before it is then fenced off by that id, and can commit nothing any more, for no partition:
such a process is dead, or is not a member of the group any more, or it has begun with another id. Of two that claim at
the same time the later one finds the earlier one's claim, so that there is never a writer that nobody fences off.

*Why not an id for each partition*, which would fence by itself: then each partition has its own transactions, and a
transaction costs the brokers and the worker the same whatever is in it.

Blocking; safe to use from several threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streams.engine import changelog, hanging
from streams.engine.fate import Stopped
from streams.engine.producer import BarrierProducer, Fenced, TransactionalProducer, Trouble, untold
from streams.engine.stages import Unit, owners_topic
from streams.settings import Settings

log = logging.getLogger(__name__)

#: A producer that only fences off holds next to nothing.
QUEUED = 10 << 20
#: Claims that come within so long (seconds) are taken in together.
READ_S = 0.02


class Claim(NamedTuple):
    """That the process that writes under `name` claims a partition."""

    unit: Unit
    name: str

    def encode(self) -> bytes:
        return f"{self.unit.stage}/{self.unit.number}/{self.name}".encode()


class Claims:
    """All claims that stand, as their records are read in order. Pure.

    The topic may be read once more from its beginning: a claim that is not there any more then stands as before, ahead
    of all that are.
    """

    def __init__(self) -> None:
        #: Keys in the order of the claims, and the offsets of these.
        self._standing: dict[bytes, int] = {}

    def add(self, key: bytes, stands: bool, offset: int = 0) -> None:
        """The next record: a claim, or that it has been withdrawn."""
        self._standing.pop(key, None)
        if stands:
            self._standing[key] = offset

    def offset(self, claim: Claim) -> int | None:
        """Where its record lies; None when it has not been read, or has been withdrawn."""
        return self._standing.get(claim.encode())

    def names(self, unit: Unit) -> list[str]:
        """Who claims this partition, the earliest first."""
        prefix = Claim(unit, "").encode()
        return [key[len(prefix) :].decode() for key in self._standing if key.startswith(prefix)]

    def before(self, claim: Claim) -> list[str]:
        """Who has claimed its partition before, the earliest first. Nobody, when it has been withdrawn itself: whoever
        did that has fenced it off, and must not be fenced off by it.
        """
        names = self.names(claim.unit)
        return names[: names.index(claim.name)] if claim.name in names else []


class Last(NamedTuple):
    """The last record that was read: where another one lies, the topic is not the one that was read."""

    offset: int
    key: bytes
    appended: int

    @classmethod
    def of(cls, message: Message) -> Last:
        return cls(message.offset() or 0, message.key() or b"", message.timestamp()[1])


class Owners:
    """The claims of all processes, as this one reads and makes them."""

    def __init__(self, settings: Settings, barriers: BarrierProducer, trouble: Trouble = untold) -> None:
        self._settings, self._barriers, self._trouble = settings, barriers, trouble
        self._topic = owners_topic(settings)
        self._claims = Claims()
        #: The offset of the record that is read next, and what has been read last.
        self._next = 0
        self._last: Last | None = None
        self._fenced: set[str] = set()
        #: What this process has found out about transactions that hang.
        self.verdicts = hanging.Verdicts()
        self._reading = threading.Lock()
        #: Two producers under one id would fence off each other: one at a time.
        self._alone: dict[str, threading.Lock] = {}

    def claim(self, claim: Claim, stopped: Stopped) -> list[str]:
        """Claim a partition; who has claimed it before, the earliest first. Of those who claim later each is told of
        this one. Raises KafkaException when `stopped()`.
        """
        own = self._barriers.write(self._topic, 0, claim.encode(), b"1", stopped)
        with self._reading:
            # Another thread may have read it meanwhile.
            if self._claims.offset(claim) != own.offset:
                self._read_behind(own.offset, stopped)
            return self._claims.before(claim)

    def withdraw(self, claims: Collection[Claim], stopped: Stopped) -> None:
        """Of claims under ids that have been fenced off nobody needs to know any more."""
        for claim in claims:
            self._barriers.write(self._topic, 0, claim.encode(), None, stopped)

    def fence(self, name: str, stopped: Stopped) -> None:
        """Nothing is ever committed under this id again, and what was open is aborted when this returns."""
        with self._alone.setdefault(name, threading.Lock()):
            if name not in self._fenced:
                self._start(name, stopped)
                self._fenced.add(name)

    def throw_away(self, name: str, places: Collection[tuple[str, int]], stopped: Stopped) -> None:
        """Roll back what hangs in these partitions under an id that was fenced off."""
        with self._alone.setdefault(name, threading.Lock()):
            try:
                self._start(name, stopped).throw_away(places, stopped)
            except Fenced as error:
                # Another process that takes over from the same one is at it too.
                log.info("%s: %s", name, error)

    def _start(self, name: str, stopped: Stopped) -> TransactionalProducer:
        producer = TransactionalProducer(self._settings, name, self._trouble, QUEUED)
        producer.start(stopped)
        return producer

    def _read_behind(self, offset: int, stopped: Stopped) -> None:
        consumer = changelog.consumer(self._settings, f"{self._settings.worker_id}-owners", enable_partition_eof=True)
        try:
            known = self._last
            consumer.assign([TopicPartition(self._topic, 0, self._next if known is None else known.offset)])
            while known is not None or self._next <= offset:
                if stopped():
                    raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
                # All that are there: those who claim at the same time need not read again.
                messages = consumer.consume(changelog.CHUNK, READ_S)
                if known is not None and (first := _first(messages)) is not None:
                    if not self._goes_on(known, first):
                        consumer.assign([TopicPartition(self._topic, 0, 0)])
                        messages = []
                    known = None
                for message in messages:
                    self._take_in(message)
        finally:
            consumer.close()

    def _goes_on(self, known: Last, first: Message) -> bool:
        """Whether what is read now is what was read before. Otherwise all is read once more, on top of what is known:
        the topic may have been made anew, and then it does not tell of those who claimed before, who write all the
        same; or the record was compacted away, and then it tells nothing else than before.
        """
        if first.error() is None and Last.of(first) == known:
            return True
        if (first.offset() or 0) <= known.offset:
            log.warning("%s was made anew: it is read from its beginning", self._topic)
        self._next, self._last = 0, None
        return False

    def _take_in(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._last = Last.of(message)
            self._claims.add(self._last.key, message.value() is not None, self._last.offset)
            self._next = self._last.offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # A claim that others have withdrawn may not be there any more.
            self._next = max(self._next, message.offset() or 0)
        else:
            log.warning("%s: %s", self._topic, error.str())


def _first(messages: Sequence[Message]) -> Message | None:
    """The first record among them, or that there is none any more; other errors pass."""
    for message in messages:
        error = message.error()
        if error is None or error.code() == KafkaError._PARTITION_EOF:
            return message
    return None


class Ownership:
    """Of one partition, for the writer of this name. `reach`: every partition that transactions with something for
    this one may have written to.
    """

    def __init__(self, settings: Settings, owners: Owners, claim: Claim, reach: Collection[tuple[str, int]]) -> None:
        self._settings, self._owners, self._claim, self._reach = settings, owners, claim, reach
        #: Who wrote for this partition before, and nothing of whom hangs in reach any more.
        self._done: list[str] = []

    @property
    def name(self) -> str:
        """The transactional id that the partition is written under from now on."""
        return self._claim.name

    def take(self, stopped: Stopped) -> None:
        """When this returns nobody else can commit for the partition, and what others left open is over. The writer
        must have been started before: then whoever fences it off later finds an id that can be fenced off.

        Raises KafkaException when `stopped()`.
        """
        others = self._owners.claim(self._claim, stopped)
        for name in others:
            self._owners.fence(name, stopped)

        def throw_away(name: str, places: Collection[tuple[str, int]]) -> None:
            self._owners.throw_away(name, places, stopped)

        # What they have left open and nobody knows of any more would be waited for for ever.
        settled = hanging.settle(
            self._settings, str(self._claim.unit), self._reach, others, throw_away, self._owners.verdicts, stopped
        )
        self._done = [] if settled.left else others

    def settle(self, stopped: Stopped) -> None:
        """The partition's state has been read back. Who is to look for what hangs finds by the claims whose it may be:
        they stand until nothing does.
        """
        self._owners.withdraw([Claim(self._claim.unit, name) for name in self._done], stopped)
        self._done = []
