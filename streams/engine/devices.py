"""The states of the devices that one batch touches: read once, folded in memory, encoded once, and put back after a
failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.config import App
from streams.attribution import fold, state
from streams.attribution.entry import Entry
from streams.attribution.fold import Lookbacks, Step
from streams.attribution.state import Device
from streams.engine.holds import device_row

#: Reads rows of the state store: for each key its value, None when there is none.
Read = Callable[[list[bytes]], list[bytes | None]]

#: What a folded record can add to a state at most, beside its own bytes: ids, uniqueness, an attribution's numbers.
_GROWTH = 400

#: Results that leave a state as it was.
_UNCHANGED = frozenset(("duplicate", "too_late"))


class TooLarge(Exception):
    """The device's state would be larger than a record may be; the record was not folded."""


class _Working:
    """One device within the batch. `done` is what was folded since `original`, so that a failed fold can be undone by
    replay.
    """

    __slots__ = ("changed", "device", "done", "original", "row", "weight")

    def __init__(self, row: bytes, original: bytes | None) -> None:
        self.row, self.original = row, original
        self.device: Device | None = None if original is None else state.decode(original)
        self.done: list[tuple[Entry | None, App]] = []
        self.changed = False
        #: An upper bound of the encoded size, in bytes.
        self.weight = 0 if original is None else len(original)


class Devices:
    """The working set of one batch."""

    def __init__(self, read: Read, lookbacks: Lookbacks, record_bytes: int, held_records: int) -> None:
        self._read, self._lookbacks = read, lookbacks
        self._record_bytes, self._held_records = record_bytes, held_records
        self._working: dict[str, _Working] = {}

    def load(self, device_keys: Iterable[str]) -> set[str]:
        """Read the states of these devices at once; those already in the set are left alone. Returns those that have
        none.
        """
        keys = [key for key in dict.fromkeys(device_keys) if key not in self._working]
        rows = [device_row(key) for key in keys]
        unknown: set[str] = set()
        for key, row, stored in zip(keys, rows, self._read(rows), strict=True):
            self._working[key] = _Working(row, stored)
            if stored is None:
                unknown.add(key)
        return unknown

    def fold(self, entry: Entry, app: App, size: int) -> Step:
        """Fold a record of `size` bytes. After an exception (`TooLarge`, or any error of a rule) the state is as
        before.
        """
        working = self._working[entry.device_key]
        working.weight += size + _GROWTH
        done: list[tuple[Entry | None, App]] = [(entry, app)]
        try:
            step = fold.fold(working.device, entry, app, self._lookbacks, self._held_records)
            if working.weight > self._record_bytes:
                step = self._bounded(working, step, app, done)
                if self._is_too_large(working, step):
                    raise TooLarge(f"the state of {entry.device_key!r} would have {working.weight:,} bytes")
        except Exception:
            self._restore(working)
            raise
        working.device = step.device
        working.done += done
        if not working.changed:
            for fact in step.facts:
                if fact.result not in _UNCHANGED:
                    working.changed = True
        return step

    def _bounded(self, working: _Working, step: Step, app: App, done: list[tuple[Entry | None, App]]) -> Step:
        """The step, or what comes of releasing all that the device holds. Good records are not refused for waiting
        together: what is held is the bulk of a state that is too large.
        """
        if not self._is_too_large(working, step) or not step.device.held:
            return step
        done.append((None, app))
        judged = [fact for fact in step.facts if fact.result != "held"]
        released = fold.release(step.device, app, self._lookbacks)
        return Step(released.device, [*judged, *released.facts], None)

    def _is_too_large(self, working: _Working, step: Step) -> bool:
        """Measures only when the bound is passed: encoding costs more than the fold."""
        if working.weight > self._record_bytes:
            working.weight = len(state.encode(step.device))
        return working.weight > self._record_bytes

    def release(self, device_key: str, app: App) -> Step:
        """Release what a device holds. After an exception the state is as before."""
        self.load([device_key])
        working = self._working[device_key]
        if working.device is None:
            raise LookupError(f"the index of holds names {device_key!r}, which has no state")
        try:
            step = fold.release(working.device, app, self._lookbacks)
        except Exception:
            self._restore(working)
            raise
        working.device = step.device
        working.done.append((None, app))
        working.changed = True
        return step

    def rows(self) -> dict[bytes, bytes | None]:
        """The rows of the devices that changed."""
        return {
            working.row: state.encode(working.device)
            for working in self._working.values()
            if working.changed and working.device is not None
        }

    def _restore(self, working: _Working) -> None:
        device = None if working.original is None else state.decode(working.original)
        for entry, app in working.done:
            if entry is not None:
                device = fold.fold(device, entry, app, self._lookbacks, self._held_records).device
            elif device is not None:
                device = fold.release(device, app, self._lookbacks).device
        # What was replayed once is not replayed again: the next failure may be the next record.
        working.device, working.original = device, None if device is None else state.encode(device)
        working.done.clear()
        working.weight = len(working.original or b"")
