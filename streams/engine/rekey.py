"""A source whose records do not lie by device key, on its way through an internal topic where they do. Pure.

One rekeyer reads all partitions of the original topic, merges them by append time as the worker merges its sources,
and writes each record, with the place and the time that it had, into the internal partition of its device. What it
has written is told by *passed* records: everything of the source that was appended before a moment lies before them.
So the device stage merges by the times of the original, and waits for the rekeyer as it waits for a source: a backlog
and a rekeyer that lags give the same decisions as a live stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from schemas.config import App, Source
from streams.attribution import identity
from streams.engine.letters import KEY_BYTES_KEPT
from streams.engine.merge import Limits, Merge
from streams.engine.output import Outgoing
from streams.engine.raw import Lying, Raw
from streams.errors import Stop
from streams.sources.decode import Decoder, Rejected

#: What is buffered of all partitions of an original together, in records and bytes; each has its share of it.
BUFFERED_RECORDS = 64_000
BUFFERED_BYTES = 64_000_000
LEAST_RECORDS = 1_000
LEAST_BYTES = 512_000
#: Bytes of a value that an internal topic takes. A longer one, which no source may have, is cut: it stays too large.
LARGEST_VALUE = 7_000_000

#: A partition that nothing is written to notes after so many records how far it has come.
NOTE_AFTER = 20_000

PartitionOf = Callable[[bytes, int], int]


class Carried(msgspec.Struct, array_like=True, frozen=True, tag="record"):
    """A record in the internal topic: its place, append time (ms) and key in the original topic, and its value."""

    partition: int
    offset: int
    appended: int
    key: bytes | None
    value: bytes | None


class Passed(msgspec.Struct, array_like=True, frozen=True, tag="passed"):
    """Everything of the source that was appended before this time (ms) and belongs into this partition lies before
    this record. Once true it is true for ever, whoever writes it.
    """

    before: int


_decode = msgspec.msgpack.Decoder(Carried | Passed).decode
_encode = msgspec.msgpack.Encoder().encode


class Read(Protocol):
    """A record of the internal topic as it was fetched."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Original(NamedTuple):
    """A record of the original topic; `appended`: its append time, milliseconds."""

    partition: int
    offset: int
    appended: int
    key: bytes | None
    value: bytes | None


def wrap(original: Original) -> bytes:
    """The record as it is carried in the internal topic."""
    partition, offset, appended, key, value = original
    if value is not None and len(value) > LARGEST_VALUE:
        value = value[:LARGEST_VALUE]
    return _encode(Carried(partition, offset, appended, key and key[:KEY_BYTES_KEPT], value))


def passed(before: int) -> bytes:
    """The record that tells how far the source has been written."""
    return _encode(Passed(before))


def again(raw: Raw, device_key: str, partition: int) -> Outgoing:
    """A record that was carried already, for another partition of the internal topic."""
    if raw.lies is None:
        raise ValueError(f"{raw.topic} is not rekeyed")
    carried = wrap(Original(raw.partition, raw.offset, raw.appended, raw.key, raw.value))
    return Outgoing(raw.lies.topic, device_key.encode("utf-8", "surrogatepass"), carried, partition)


def unwrap(topic: str, number: int, records: Iterable[Read], source: Source) -> tuple[list[Raw], int]:
    """What was fetched of a partition of an internal topic: its records, with the places and times that they had in the
    topic of `source`; and how far they reach (append time; −1: not told).

    What a stranger wrote there is taken as a record of the source that lies where it lies.
    """
    raws: list[Raw] = []
    before = -1
    name = source.topic
    for record in records:
        lies = Lying(topic, number, record.offset)
        try:
            found = _decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raws.append(Raw(name, number, record.offset, record.timestamp, record.key, record.value, source, lies))
            continue
        if type(found) is Passed:
            before = max(before, found.before)
        elif type(found) is Carried:
            raws.append(Raw(name, found.partition, found.offset, found.appended, found.key, found.value, source, lies))
    return raws, before


def far_ahead(applied: Mapping[str, int], read: Mapping[str, int]) -> bool:
    """So much of an internal topic has been passed over that it should be noted, or a restart would read it again."""
    return any(offset - applied.get(topic, 0) >= NOTE_AFTER for topic, offset in read.items())


class Router:
    """Says where the records of a source belong, under one configuration. Raises ValueError for a source's mapping."""

    def __init__(
        self, source: Source, apps: Iterable[App], record_bytes: int, partitions: int, partition_of: PartitionOf
    ) -> None:
        self._topic, self._partitions, self._partition_of = source.topic, partitions, partition_of
        self._decode = Decoder(source, record_bytes).decode
        self._apps = {app.id: app for app in apps}

    def route(self, partition: int, offset: int, value: bytes | None) -> tuple[bytes | None, int]:
        """The device key of a record and the partition of its device.

        Without a device (it cannot be decoded, or its app is not configured) no key, and always the same partition:
        the device stage judges it there as it would any other.
        """
        record = self._decode(value)
        if not isinstance(record, Rejected):
            app = self._apps.get(record.app_id)
            if app is not None and (device_id := identity.identify(record, app)) is not None:
                key = f"{app.id}|{device_id}".encode("utf-8", "surrogatepass")
                return key, self._partition_of(key, self._partitions)
        return None, self._partition_of(b"%d-%d" % (partition, offset), self._partitions)

    def rows(self, internal: str, records: Iterable[Original]) -> Iterator[tuple[str, bytes | None, bytes, int]]:
        """The records as they are to be written: topic, key, value, partition."""
        for one in records:
            key, number = self.route(one.partition, one.offset, one.value)
            yield internal, key, wrap(one), number


def begin(
    source: Source, known: Mapping[int, int], starts: Mapping[int, int], ends: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Where each partition of the original topic is read from, by the marker (`known`: empty before the first), and how
    many records of which were deleted before they were read. A partition that was added is read from its beginning.

    Raises `Stop` when the topic ends before the marker: it was recreated, and reading on would skip records.
    """
    positions, lost = {}, {}
    remedy = (
        "to process its new contents, give the source a new topic name, or begin with empty state under a new "
        "RINGBACK_WORKER_ID"
    )
    if gone := sorted(known.keys() - starts.keys()):
        raise Stop(f"{source.topic} has no partition {gone[0]} any more: the topic was recreated", remedy)
    for number, start in starts.items():
        at = known.get(number)
        if at is None:
            positions[number] = ends[number] if source.start == "latest" and not known else start
            continue
        if at > ends[number]:
            raise Stop(
                f"{source.topic} partition {number} ends at offset {ends[number]}, but {at} has been rekeyed already: "
                "the topic was recreated or truncated",
                remedy,
            )
        if at < start:
            lost[number] = start - at
        positions[number] = max(at, start)
    return positions, lost


class Passage:
    """All partitions of one original topic, being merged. `positions`: where each is read from."""

    def __init__(self, positions: Mapping[int, int]) -> None:
        count = max(1, len(positions))
        self._limits = Limits(
            records=max(LEAST_RECORDS, BUFFERED_RECORDS // count), size=max(LEAST_BYTES, BUFFERED_BYTES // count)
        )
        # All count as installs, so that progress is that of all of them.
        self._merge: Merge[Original] = Merge([(_name(number), True) for number in sorted(positions)], self._limits)
        self._numbers = tuple(sorted(positions))
        self._paused: frozenset[int] = frozenset()
        for number, position in positions.items():
            self._merge.feed(_name(number), (), position)

    def feed(self, number: int, records: Sequence[Original], position: int) -> None:
        """The next records of a partition; `position` is behind them, and behind what is no record."""
        at = self._merge.position(_name(number))
        records = [one for one in records if one.offset >= at]
        size = sum(len(one.value or b"") + 100 for one in records)
        self._merge.feed(_name(number), records, position, size)

    def stood_at(self, ends: Mapping[int, int], moment: int) -> None:
        """The ends of partitions, looked up after `moment` (see `Merge.stood_at`)."""
        for number, end in ends.items():
            self._merge.stood_at(_name(number), end, moment)

    def take(self, limit: int) -> list[Original]:
        """The next records in the order of their append times; on ties that of the partitions."""
        return self._merge.take(limit)

    def waits_after(self) -> int | None:
        """The append time after which the ends of other partitions must be seen, before the next record may go; None:
        nothing waits.
        """
        wait = self._merge.waits()
        return wait.appended if wait else None

    def before(self) -> int:
        """Everything that was appended before this time has been taken."""
        return self._merge.progress()

    def positions(self) -> dict[int, int]:
        """For each partition the offset behind what has been taken."""
        return {number: self._position(number) for number in self._numbers}

    def _position(self, number: int) -> int:
        first = self._merge.buffered(_name(number))
        return self._merge.position(_name(number)) if first is None else first.offset

    def oldest(self, number: int) -> int | None:
        """The append time of the record of a partition that is taken next, if there is one at hand."""
        first = self._merge.buffered(_name(number))
        return None if first is None else first.appended

    def full(self) -> frozenset[int]:
        """The partitions that have run ahead: nothing more should be fetched of them. One that was full counts as full
        until half of it is gone, for to stop and to go on costs what had been fetched ahead.
        """
        wanted = set(self._merge.wanted())
        ahead = {number for number in self._numbers if _name(number) not in wanted}
        still = {number for number in self._paused if self._merge.share(_name(number)) > 0.5}
        self._paused = frozenset(ahead | still)
        return self._paused

    def __len__(self) -> int:
        return len(self._merge)


def _name(number: int) -> str:
    return str(number)


class Pace:
    """How often ends are looked up, and when it is worth a record to tell how far the source has been written. Times
    are monotonic seconds.

    Records of other sources wait for what is told. While nothing is appended to them, nobody waits but holds, which
    have time.
    """

    BUSY_S = 0.025
    IDLE_S = 0.05
    #: A record that is seen in a look-up may be newer than the moment that the look-up counts for.
    AFTER_S = 0.5
    HEARTBEAT_S = 1.0

    def __init__(self) -> None:
        self._others: Mapping[tuple[str, int], int] | None = None
        self._busy_until = float("-inf")
        self._told_at = float("-inf")
        self._told = -1

    def saw(self, others: Mapping[tuple[str, int], int], now: float) -> None:
        """The ends of the other sources."""
        if others != self._others:
            self._others = others
            self.wrote(now)

    def wrote(self, now: float) -> None:
        """Records were written: in a backlog, those of the other sources lie there already, and wait."""
        self._busy_until = now + self.AFTER_S

    def pause(self, now: float) -> float:
        """Seconds from one look-up to the next, when no record waits for one."""
        return self.BUSY_S if now < self._busy_until else self.IDLE_S

    def worth(self, before: int, now: float) -> bool:
        """Whether `before` should be told now."""
        return before > self._told and (now < self._busy_until or now - self._told_at >= self.HEARTBEAT_S)

    def told(self, before: int, now: float) -> None:
        """It was."""
        self._told, self._told_at = before, now
