"""Dead letters of the input: what could not be used, with its place and raw bytes (contract §3)."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.record import Record
from streams.attribution.entry import Entry
from streams.engine.raw import Raw

#: A dead letter carries at most so many raw bytes of the value and the key, and characters of the detail, so that with
#: base64 it fits into what its topic takes (`streams.kafka.LARGEST_DEAD_LETTER`).
RAW_BYTES_KEPT = 1_400_000
KEY_BYTES_KEPT = 50_000
DETAIL_KEPT = 1_000

#: The offset in a dead letter of a record that is no longer at hand as it was read, because it was held.
UNKNOWN_OFFSET = -1


class Letters(NamedTuple):
    """Makes the dead letters of one batch. `now`: milliseconds."""

    partition: int
    now: int

    def of_record(self, raw: Raw, reason: str, detail: str) -> DeadLetter:
        """Of a record as it was read."""
        value = raw.value
        if value is not None and len(value) > RAW_BYTES_KEPT:
            detail = f"of {len(value):,} bytes the first {RAW_BYTES_KEPT:,} are kept: {detail}"
        letter = self._letter(reason, detail, raw.topic, raw.offset, key=raw.key, value=value)
        letter.partition = raw.partition
        return letter

    def of_entry(self, entry: Entry, reason: str, detail: str) -> DeadLetter:
        """Of a record that was decoded long ago; its bytes are those of the record as it is known now."""
        detail = f"{detail}; record {entry.id} of {entry.device_key}"
        return self._letter(reason, detail, value=msgspec.json.encode(entry.record), record=entry.record)

    def of_device(self, device_key: str, reason: str, detail: str) -> DeadLetter:
        """Of what a device holds."""
        return self._letter(reason, f"{detail}; what device {device_key} holds")

    def _letter(
        self,
        reason: str,
        detail: str,
        topic: str = "",
        offset: int = UNKNOWN_OFFSET,
        *,
        key: bytes | None = None,
        value: bytes | None = None,
        record: Record | None = None,
    ) -> DeadLetter:
        return DeadLetter(
            kind="input",
            reason=reason,
            detail=detail if len(detail) <= DETAIL_KEPT else detail[:DETAIL_KEPT] + "…",
            topic=topic,
            partition=self.partition,
            offset=offset,
            at=self.now,
            key=None if key is None else key[:KEY_BYTES_KEPT],
            value=None if value is None else value[:RAW_BYTES_KEPT],
            app_id=record.app_id if record else None,
        )
