"""Which of a partition's records are a device's, and which of them have the id that is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.config import Configuration, Source
from streams.attribution import identity
from streams.attribution.entry import Rejection
from streams.engine.output import Limits
from streams.engine.raw import Raw
from streams.postbacks.index import Index
from streams.sources.decode import Decoder, Rejected

from .found import Occurrence, Refused
from .history import in_order

#: So many records of another device that mention the id are told of.
NEAR = 3
#: Characters that a writer of JSON may have written in another way.
ESCAPED = frozenset('"\\/')


class Candidate(NamedTuple):
    """A record that may be the device's, not decoded yet. `turn`: see `Occurrence`."""

    raw: Raw
    turn: int


class Sieve:
    """Takes the records of one partition of a topic as they come; keeps those that may concern the device, and no
    others.
    """

    def __init__(self, record_id: str, device_key: str, source: Source, partition: int) -> None:
        self._source, self._partition = source, partition
        self._key = device_key.encode("utf-8", "surrogatepass")
        device_id = device_key.partition("|")[2]
        self._device_id = _searchable(device_id.lower())
        self._record_id = _searchable(record_id)
        # The id of a record without one is its place.
        topic, _, rest = record_id.rpartition("-")[0].rpartition("-")
        offset = record_id.rpartition("-")[2]
        is_place = topic == source.topic and rest.isdecimal() and offset.isdecimal()
        self._offset = int(offset) if is_place else None
        self.kept: list[Candidate] = []
        #: Records of others that mention the id.
        self.near: list[Raw] = []
        #: How many there were, and the earliest and latest append time of them.
        self.records = 0
        self.first: int | None = None
        self.last: int | None = None

    def take(self, offset: int, appended: int, key: bytes | None, value: bytes | None) -> None:
        """The next record."""
        self.records += 1
        if self.last is None or appended > self.last:
            self.last = appended
        if self.first is None or appended < self.first:
            self.first = appended
        if key == self._key or offset == self._offset or self._may_be(value or b""):
            # By the latest it is merged: a producer's clock that runs backwards does not make a record overtake.
            self.kept.append(Candidate(self._raw(offset, appended, key, value), self.last))
        elif len(self.near) < NEAR and self._record_id is not None and self._record_id in (value or b""):
            self.near.append(self._raw(offset, appended, key, value))

    def _may_be(self, value: bytes) -> bool:
        return self._device_id is None or self._device_id in value.lower()

    def _raw(self, offset: int, appended: int, key: bytes | None, value: bytes | None) -> Raw:
        return Raw(self._source.topic, self._partition, offset, appended, key, value, self._source)


def _searchable(text: str) -> bytes | None:
    """The text as it stands in JSON; None when that cannot be told."""
    return text.encode() if text and text.isascii() and not ESCAPED & set(text) else None


def occurrences(
    candidates: Iterable[Candidate],
    record_id: str,
    device_key: str,
    configuration: Configuration,
    index: Index,
    limits: Limits,
) -> list[Occurrence]:
    """The records of the device, in the order of the worker, and those with the id that are no device's at all; without
    an id, those under the device's Kafka key that are none's.
    """
    placing = _Placing(record_id, device_key, configuration.sources, index, limits)
    found = [one for candidate in candidates if (one := placing.place(candidate)) is not None]
    return in_order(found)


class _Placing:
    def __init__(
        self, record_id: str, device_key: str, sources: Sequence[Source], index: Index, limits: Limits
    ) -> None:
        self._record_id, self._device_key, self._index = record_id, device_key, index
        self._app_id = device_key.partition("|")[0]
        self._decoders = {source.topic: Decoder(source, limits.record_bytes) for source in sources}
        self._sources = {source.topic: source for source in sources}
        ordered = sorted(sources, key=lambda source: source.record != "install")
        self._ranks = {source.topic: rank for rank, source in enumerate(ordered)}

    def place(self, candidate: Candidate) -> Occurrence | None:
        raw, turn = candidate
        source = self._sources.get(raw.topic)
        if source is None:
            return None
        raw = raw._replace(source=source)
        origin = f"{raw.topic}-{raw.partition}-{raw.offset}"
        rank = self._ranks[raw.topic]
        found = self._decoders[raw.topic].decode(raw.value)
        if isinstance(found, Rejected):
            return Occurrence(raw, turn, rank, Refused(*found)) if self._asked_for(raw, origin) else None
        app = self._index.apps.get(found.app_id)
        if app is None:
            asked = found.app_id == self._app_id and self._record_id in (found.id, origin)
            return Occurrence(raw, turn, rank, Refused("unknown_app", found.app_id)) if asked else None
        placed = identity.place(found, source.record, raw.appended, origin, app)
        if isinstance(placed, Rejection):
            refused = Refused(placed.reason, placed.detail)
            return Occurrence(raw, turn, rank, refused) if self._asked_for(raw, origin) else None
        return Occurrence(raw, turn, rank, placed) if placed.device_key == self._device_key else None

    def _asked_for(self, raw: Raw, origin: str) -> bool:
        """Whether what cannot be used is the record that is meant: by its place, or by its key and the id in it (by its
        key alone, when none is named).
        """
        if self._record_id == origin:
            return True
        key = self._device_key.encode("utf-8", "surrogatepass")
        if not self._record_id:
            return raw.key == key
        wanted = _searchable(self._record_id)
        return raw.key == key and wanted is not None and b'"' + wanted + b'"' in (raw.value or b"")
