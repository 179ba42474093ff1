"""Do the records of a source lie where their device key says, and can they be read? Pure: judged as the worker will."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from schemas.config import App, Source
from streams.attribution import identity
from streams.attribution.entry import Rejection
from streams.sources.decode import Decoder, Rejected

from .findings import Finding, ok, warning, wrong

KEYS = (
    "produce with the device key as the Kafka key and Kafka's default partitioner (murmur2_random in librdkafka), as "
    "`ringback feed` does; what lies wrong must be fed anew into a new topic. Or declare the source `rekey: true`"
)

PARTITIONER = (
    "set partitioner=murmur2_random (librdkafka) or use Java's default; what lies wrong must be fed anew into a new "
    "topic"
)


class Sample:
    """Records of one source. `partitions`: how many the inputs have, None: it is rekeyed, and its records may lie
    anywhere; `bad_limit`: more bad ones than this share (%) make the worker pause the source.
    """

    def __init__(
        self,
        source: Source,
        apps: Mapping[str, App],
        largest: int,
        partitions: int | None,
        bad_limit: int,
        partition_of: Callable[[bytes, int], int],
    ) -> None:
        self._source = source
        self._decoder = Decoder(source, largest)
        self._apps = apps
        self._partitions = partitions
        self._bad_limit = bad_limit
        self._partition_of = partition_of
        #: Records looked at so far.
        self.total = 0
        self._bad: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._first_bad = ""
        #: By whether the Kafka key was right: how many, and the first one's place and device.
        self._misplaced: Counter[bool] = Counter()
        self._first_misplaced: dict[bool, str] = {}

    def take(self, partition: int, offset: int, appended: int, key: bytes | None, value: bytes | None) -> None:
        """Look at a record."""
        self.total += 1
        where = f"partition {partition} offset {offset}"
        record = self._decoder.decode(value)
        if isinstance(record, Rejected):
            self._refuse(where, record.reason, record.detail)
            return
        app = self._apps.get(record.app_id)
        if app is None:
            self._unknown[record.app_id] += 1
            return
        entry = identity.place(record, self._source.record, appended, f"{self._source.topic}-{where}", app)
        if isinstance(entry, Rejection):
            self._refuse(where, entry.reason, entry.detail)
            return
        if self._partitions is None:
            return
        device_key = entry.device_key.encode("utf-8", "surrogatepass")
        belongs = self._partition_of(device_key, self._partitions)
        if belongs != partition:
            keyed = key == device_key
            self._misplaced[keyed] += 1
            self._first_misplaced.setdefault(
                keyed, f"{where}: device {entry.device_key!r} belongs to partition {belongs} (Kafka key {key!r})"
            )

    def _refuse(self, where: str, reason: str, detail: str) -> None:
        self._bad[reason] += 1
        self._first_bad = self._first_bad or f"{where}: {detail}"

    def findings(self) -> Iterator[Finding]:
        """What they say together."""
        topic, total = self._source.topic, self.total
        if not total:
            yield ok(f"{topic}: no records yet")
            return
        fine = True
        for keyed, count in self._misplaced.items():
            fine = False
            cause = (
                ": their Kafka key is right, the producer's partitioner is not (or partitions were added since)"
                if keyed
                else ""
            )
            yield wrong(
                f"{topic}: {count:,} of the newest {total:,} records lie in another partition than their device's"
                f"{cause}; the worker stops there. {self._first_misplaced[keyed]}",
                PARTITIONER if keyed else KEYS,
            )
        if bad := self._bad.total():
            fine = False
            too_many = bad * 100 > self._bad_limit * total
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self._bad.most_common())
            consequence = "; the worker pauses this source" if too_many else ""
            yield (wrong if too_many else warning)(
                f"{topic}: {bad:,} of the newest {total:,} records become dead letters ({reasons}){consequence}. "
                f"{self._first_bad}",
                "mend the producer, or the source's `record`, `format` and `mapping`",
            )
        if unknown := self._unknown.total():
            fine = fine and unknown < total
            names = ", ".join(f"{name[:60]!r} {count:,}" for name, count in self._unknown.most_common(3))
            yield warning(
                f"{topic}: {unknown:,} of the newest {total:,} records are of apps that are not configured ({names})",
                "add the app to the configuration, or leave it: they are ignored and counted",
            )
        if fine:
            lie = "can be read, and are rekeyed" if self._partitions is None else "lie where their device key says"
            yield ok(f"{topic}: the newest {total:,} records {lie}")
