"""What one batch of records means: decoded, attributed, decided. Pure: the engine reads, commits and keeps time around
it.

A batch belongs to one partition and is given in merged order (append time, installs first, then stream order). What
comes out is everything that the engine must write in one transaction. Nothing is remembered between batches but the
configuration and the caller's `Holds`; after a batch whose output could not be committed its partition must be
recovered, for its `Holds` have moved on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.config import Configuration
from streams.attribution import identity
from streams.attribution.entry import Entry
from streams.engine.batch import Batch, Elsewhere, Refused
from streams.engine.devices import Read
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names, Outgoing, Output, Setting
from streams.engine.raw import Raw
from streams.engine.telling import Telling
from streams.postbacks.decide import Level
from streams.postbacks.index import Index
from streams.sources.decode import Decoder, Rejected

__all__ = ["Holds", "Limits", "Names", "Outgoing", "Output", "Pipeline", "Raw", "Read", "WrongPartition"]

#: The partition a record of this key belongs to, of so many.
PartitionOf = Callable[[bytes, int], int]


class WrongPartition(Exception):
    """A record lies in a partition that is not its device's: applying it would split the device's state."""

    def __init__(self, raw: Raw, device_key: str, expected: int, partitions: int) -> None:
        self.raw, self.device_key, self.expected = raw, device_key, expected
        if raw.key == device_key.encode("utf-8", "surrogatepass"):
            cause = (
                "its Kafka key is right, the producer's partitioner is not (or partitions were added since): set "
                "partitioner=murmur2_random (librdkafka) or use Java's default"
            )
        else:
            cause = (
                f"Kafka key {raw.key!r}; produce with the device key as the Kafka key and Kafka's default partitioner "
                "(murmur2_random in librdkafka), or declare the source `rekey: true`"
            )
        super().__init__(
            f"{raw.topic} partition {raw.partition} offset {raw.offset}: the record of device {device_key!r} belongs "
            f"to partition {expected} of {partitions}; {cause}"
        )


class Pipeline:
    """One per process. `configure` before the first batch, and between batches whenever the configuration changes."""

    def __init__(self, names: Names, level: Level, limits: Limits, partition_of: PartitionOf) -> None:
        self._names, self._level, self._limits, self._partition_of = names, level, limits, partition_of
        self._setting: Setting | None = None
        self._decoders: dict[str, Decoder] = {}

    def configure(self, configuration: Configuration) -> None:
        """Decide by this configuration from the next batch on. Raises `TemplateErrors`, or ValueError for a source's
        mapping, and keeps the old one.
        """
        setting = Setting(Index(configuration), self._names, self._level, self._limits)
        decoders = {source.topic: Decoder(source, self._limits.record_bytes) for source in configuration.sources}
        self._setting, self._decoders = setting, decoders

    def process(
        self,
        partition: int,
        records: Sequence[Raw],
        progress: int | None,
        now: int,
        read: Read,
        holds: Holds,
        partitions: int,
    ) -> Output:
        """Decide a batch.

        `progress`: every record appended before this time is in this batch or an earlier one (see `Merge.progress`);
        None: unknown. `now`: milliseconds, written into jobs, decides nothing.
        `partitions`: how many the inputs have. Raises `WrongPartition` before anything of the batch is decided.
        """
        if self._setting is None:
            raise RuntimeError("process before configure")
        apps = self._setting.index.apps
        batch = Batch(self._setting, Telling(self._setting, partition, now, partitions), read, holds)
        placed: list[Entry | Refused | Elsewhere] = []
        decoders = self._decoders
        for raw in records:
            found = decoders[raw.topic].decode(raw.value)
            if isinstance(found, Rejected):
                placed.append(Refused(found.reason, found.detail))
            elif (app := apps.get(found.app_id)) is None:
                placed.append(Refused("unknown_app", found.app_id))
            else:
                # It stands in for an id: mostly there is one.
                origin = "" if found.id else f"{raw.topic}-{raw.partition}-{raw.offset}"
                entry = identity.place(found, raw.source.record, raw.appended, origin, app)
                if isinstance(entry, Entry):
                    placed.append(entry)
                else:
                    placed.append(Refused(entry.reason, entry.detail))
        unknown = batch.devices.load([entry.device_key for entry in placed if isinstance(entry, Entry)])
        if unknown:
            self._check_partitions(records, placed, unknown, partitions)
        for raw, place in zip(records, placed, strict=True):
            if not batch.release_before(raw.appended):
                break
            batch.take(raw, place)
        if batch.output.taken == len(records) and progress is not None:
            batch.release_before(progress)
        return batch.finish()

    def _check_partitions(
        self, records: Sequence[Raw], placed: list[Entry | Refused | Elsewhere], unknown: set[str], partitions: int
    ) -> None:
        """Whether every device that is new here belongs here. One with a state was looked at when it was new: so no
        state is ever split, and only the first record of a device pays for the hash.

        A record that a rekeyer has put here by another configuration is not wrong: it goes where it belongs by now.
        """
        seen: set[str] = set()
        for index, (raw, entry) in enumerate(zip(records, placed, strict=True)):
            if not isinstance(entry, Entry) or entry.device_key in seen or entry.device_key not in unknown:
                continue
            expected = self._partition_of(entry.device_key.encode("utf-8", "surrogatepass"), partitions)
            if expected == (raw.lies or raw).partition:
                seen.add(entry.device_key)
            elif raw.lies is None:
                raise WrongPartition(raw, entry.device_key, expected, partitions)
            else:
                placed[index] = Elsewhere(entry.device_key, expected)
