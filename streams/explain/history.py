"""A device's records once more through the worker's fold, one after the other, with the state before and after each.
Pure.

The order is the worker's: by append time over all sources, installs first, then stream order. A hold is released
before the first record that was appended after it was due, as the engine does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from schemas.config import DAY, App
from streams.attribution import fold, state
from streams.attribution.entry import Entry
from streams.attribution.events import SESSION, Fires, parse
from streams.attribution.fold import Fact, Lookbacks
from streams.attribution.state import Device, Held
from streams.engine.devices import Devices, TooLarge
from streams.engine.holds import device_row
from streams.engine.output import Limits
from streams.postbacks.index import Index

from .found import Freed, History, Life, Occurrence, Reading, Refused, Release


def in_order(occurrences: Iterable[Occurrence]) -> list[Occurrence]:
    """The order in which a worker reads the records of a partition."""
    return sorted(occurrences, key=lambda one: (one.turn, one.rank, one.raw.partition, one.raw.offset))


def history_of(
    device_key: str,
    occurrences: Sequence[Occurrence],
    index: Index,
    limits: Limits,
    positions: dict[str, int] | None,
    until: int | None,
) -> History:
    """Fold the records, which are in order. `positions`: what lies behind them has not been read (None: all has been).
    `until`: the append time that every source has been read past (None: it is not known to be past anything).
    """
    app = index.apps.get(device_key.partition("|")[0])
    if app is None:
        return History([Reading(one, refused=one.placed) for one in occurrences if isinstance(one.placed, Refused)])
    replay = _Replay(device_key, app, index.lookbacks, limits)
    for occurrence in occurrences:
        raw = occurrence.raw
        if positions is not None and raw.offset >= (behind := positions.get(raw.topic, 0)):
            replay.history.readings.append(Reading(occurrence, unread=raw.offset - behind))
            continue
        replay.release_before(occurrence.turn, occurrence)
        replay.read(occurrence)
    if until is not None:
        replay.release_before(until, None)
    replay.history.device = replay.device()
    return replay.history


class _Replay:
    """The device in its stored form between one record and the next."""

    def __init__(self, device_key: str, app: App, lookbacks: Lookbacks, limits: Limits) -> None:
        self._key, self._app, self._lookbacks, self._limits = device_key, app, lookbacks, limits
        self._row = device_row(device_key)
        self._stored: bytes | None = None
        self._due: int | None = None
        self._waiting: dict[tuple[str, int, int], Reading] = {}
        self._life = Life()
        self.history = History()

    def device(self) -> Device | None:
        return None if self._stored is None else state.decode(self._stored)

    def read(self, occurrence: Occurrence) -> None:
        """The next record."""
        entry = occurrence.placed
        reading = Reading(occurrence)
        self.history.readings.append(reading)
        if isinstance(entry, Refused):
            reading.refused = entry
            return
        devices = self._devices()
        devices.load([self._key])
        before = self.device()
        if before is not None and fold.is_absent(before, entry, self._app):
            self._life, before = Life(forgotten=before), None
        reading.life = self._life
        try:
            step = devices.fold(entry, self._app, len(occurrence.raw.value or b""))
        except TooLarge as error:
            reading.refused = Refused("too_large", str(error))
            return
        except Exception as error:
            reading.refused = Refused("internal", f"{type(error).__name__}: {error}")
            return
        held_before = len(before.held) if before is not None else 0
        why: Freed = "install" if entry.kind == "install" else "full"
        if why == "full" and held_before < self._limits.held_records:
            why = "size"
        self._take(reading, entry, before, list(step.facts), why)
        self._store(devices, step.release_at)

    def release_before(self, turn: int, by: Occurrence | None) -> None:
        """What is held and due before this append time is processed."""
        if self._due is None or self._due >= turn:
            return
        due, devices, before = self._due, self._devices(), self.device()
        step = devices.release(self._key, self._app)
        placed = by.placed if by is not None else None
        first = placed if isinstance(placed, Entry) else None
        if before is not None:
            self._processed(before, None, step.facts, Release("grace", due, first))
        self._store(devices, step.release_at)

    def _devices(self) -> Devices:
        return Devices(
            lambda keys: [self._stored for _ in keys],
            self._lookbacks,
            self._limits.record_bytes,
            self._limits.held_records,
        )

    def _store(self, devices: Devices, due: int | None) -> None:
        self._stored = devices.rows().get(self._row, self._stored)
        self._due = due

    def _take(self, reading: Reading, entry: Entry, before: Device | None, facts: list[Fact], why: Freed) -> None:
        own = next((fact for fact in facts if fact.entry is entry), None)
        reading.read_by = before
        if own is not None:
            facts.remove(own)
            reading.fact, reading.before, reading.after = own, before, self._after(before, entry)
            if own.result == "held":
                self._waiting[_identity(entry)] = reading
            else:
                reading.processed = own
                self._note(own)
        else:
            # It made its device hold too much, and was released with the others.
            self._waiting[_identity(entry)] = reading
        if facts:
            due = self._due if self._due is not None else entry.appended
            first = entry if entry.kind == "install" else None
            more = len(facts) > (len(before.held) if before is not None else 0)
            holding = _with_held(before, entry) if more else before
            self._processed(holding or Device(), first, facts, Release(why, due, entry))

    def _processed(self, before: Device, first: Entry | None, facts: Iterable[Fact], release: Release) -> None:
        """Held records, in their order. `first`: the install that went before them."""
        held = sorted(before.held, key=lambda one: (one.at, one.appended))
        device = self._alone(before, first)
        for one, fact in zip(held, facts, strict=False):
            self._note(fact)
            earlier = _copy(device)
            device.held = [one]
            device = fold.release(device, self._app, self._lookbacks).device
            reading = self._waiting.pop(_identity(fact.entry), None)
            if reading is not None:
                reading.fact = reading.fact or msgspec.structs.replace(fact, result="held")
                reading.processed, reading.release = fact, release
                reading.before, reading.after = earlier, _copy(device)

    def _alone(self, before: Device, first: Entry | None) -> Device:
        """The device without what it held, after the install that went before that."""
        device = _copy(before)
        device.held, device.held_since = [], None
        if first is not None:
            device = fold.fold(device, first, self._app, self._lookbacks, self._limits.held_records).device
        return device

    def _after(self, before: Device | None, entry: Entry) -> Device:
        device = None if before is None else _copy(before)
        if device is not None and entry.kind == "install":
            device.held, device.held_since = [], None
        return fold.fold(device, entry, self._app, self._lookbacks, self._limits.held_records).device

    def _note(self, fact: Fact) -> None:
        """Which record used a first, and which one a session's period."""
        for derived in fact.derived:
            row = parse(derived.event)
            number = derived.attribution.number if row is not None and row.fires is Fires.PERIOD else 0
            if derived.event != SESSION:
                self._life.fired.setdefault((derived.event, number), fact.entry)
        for session in fact.sessions:
            if session.due:
                period = (fact.entry.at - session.attribution.start) // DAY
                self._life.sessions.setdefault((session.attribution.number, period), fact.entry)


def _copy(device: Device) -> Device:
    return state.decode(state.encode(device))


def _identity(entry: Entry) -> tuple[str, int, int]:
    return entry.id, entry.at, entry.appended


def _with_held(before: Device | None, entry: Entry) -> Device:
    device = Device() if before is None else _copy(before)
    held = Held(b"{}", entry.id, entry.name, entry.at, entry.appended, entry.device_id, entry.clicked)
    device.held = [*device.held, msgspec.structs.replace(held, record=msgspec.json.encode(entry.record))]
    return device
