"""One batch of one partition, while it is being decided: from records in their place to what must be written."""

from __future__ import annotations

from typing import NamedTuple

from schemas.config import HOUR
from streams.attribution.entry import Entry
from streams.attribution.fold import Step
from streams.engine.devices import Devices, Read, TooLarge
from streams.engine.holds import Holds, hold_row
from streams.engine.output import Output, Setting
from streams.engine.raw import Raw
from streams.engine.rekey import again
from streams.engine.telling import Telling, described

#: What is held of an app that is not configured any more is looked at again after so long: it may come back.
LOOK_AGAIN = HOUR


class Refused(NamedTuple):
    """Why a record has no place: a key of `schemas.dead_letter.REASONS`, or `unknown_app` (ignored and counted, no dead
    letter).
    """

    reason: str
    detail: str


class Elsewhere(NamedTuple):
    """A record of a rekeyed source belongs into another partition by now: it goes on there."""

    device_key: str
    partition: int


class Batch:
    """Takes records in order; `finish` gives what to write."""

    def __init__(self, setting: Setting, telling: Telling, read: Read, holds: Holds) -> None:
        self._setting, self._telling, self._read, self._holds = setting, telling, read, holds
        limits = setting.limits
        self.devices = Devices(read, setting.index.lookbacks, limits.record_bytes, limits.held_records)
        self.output = telling.output
        self._released = 0
        #: When the first device is due, as long as nothing was put on hold or taken off it: mostly for the whole batch.
        self._next_due: int | None = None
        self._is_due_known = False
        #: What became of the records that were folded: counted here, for a plain dictionary is faster than a counter.
        self._results: dict[tuple[str, ...], int] = {}

    def take(self, raw: Raw, placed: Entry | Refused | Elsewhere) -> None:
        """Decide the next record."""
        self.output.taken += 1
        if isinstance(placed, Entry):
            self._fold(raw, placed)
            return
        if isinstance(placed, Elsewhere):
            self.output.counts["records_total", raw.topic, "moved"] += 1
            self.output.outgoing.append(again(raw, placed.device_key, placed.partition))
            return
        if placed.reason == "unknown_app":
            self.output.counts["records_total", raw.topic, placed.reason] += 1
        else:
            self._telling.refuse(raw, placed.reason, placed.detail)

    def release_before(self, progress: int) -> bool:
        """Release every device that is due before `progress`. False when the limit of one batch was reached before the
        last one.
        """
        if not self._is_due_known:
            self._next_due, self._is_due_known = self._holds.next_due(), True
        if self._next_due is None or self._next_due >= progress:
            return True
        while (device_key := self._holds.pop_due(progress)) is not None:
            if self._released >= self._setting.limits.releases:
                self.output.more = True
                return False
            self._released += 1
            self._release(device_key, progress)
        return True

    def finish(self) -> Output:
        """The output, states included. The batch is over."""
        self.output.counts.update(self._results)
        output = self._telling.finish(self._read)
        output.puts.update(self.devices.rows())
        return output

    def _fold(self, raw: Raw, entry: Entry) -> None:
        app = self._setting.index.apps[entry.record.app_id]
        try:
            step = self.devices.fold(entry, app, len(raw.value or b""))
        except TooLarge as error:
            self._telling.refuse(raw, "too_large", str(error))
            return
        except Exception as error:
            self._telling.refuse(raw, "internal", described(error))
            return
        # The record that makes its device hold too many is released with the others: then its fact has an entry of its
        # own.
        result = "processed"
        for fact in step.facts:
            if fact.entry is entry:
                result = fact.result
                break
        results = self._results
        key = ("records_total", raw.topic, result)
        results[key] = results.get(key, 0) + 1
        if result != "held":
            self.output.decided_from.append(entry.appended)
        for fact in step.facts:
            self._telling.tell(fact)
        if step.release_at is not None or self._holds.due_of(entry.device_key) is not None:
            self._reschedule(entry.device_key, step)

    def _release(self, device_key: str, progress: int) -> None:
        app = self._setting.index.apps.get(device_key.partition("|")[0])
        if app is None:
            held = self._holds.records_of(device_key)
            self._unhold(device_key)
            self._hold(device_key, progress + LOOK_AGAIN, held)
            return
        try:
            step = self.devices.release(device_key, app)
        except Exception as error:
            self._unhold(device_key)
            self._telling.dead_letter(self._telling.letters.of_device(device_key, "internal", described(error)))
            return
        for fact in step.facts:
            self._telling.tell(fact)
        self._reschedule(device_key, step)

    def _reschedule(self, device_key: str, step: Step) -> None:
        """Bring the index of holds in line with the device."""
        before = self._holds.due_of(device_key)
        if before is None and step.release_at is None:
            return
        if before is not None and before != step.release_at:
            self._unhold(device_key)
        if step.release_at is not None:
            self._hold(device_key, step.release_at, len(step.device.held))

    def _hold(self, device_key: str, due: int, records: int) -> None:
        self._is_due_known = False
        self._holds.put(device_key, due, records)
        self.output.puts[hold_row(due, device_key)] = b"%d" % records

    def _unhold(self, device_key: str) -> None:
        due = self._holds.due_of(device_key)
        if due is not None:
            self._is_due_known = False
            self._holds.drop(device_key)
            self.output.puts[hold_row(due, device_key)] = None
