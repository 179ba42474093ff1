"""One batch of one partition, while it is being decided: from records in their place to what must be written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from schemas.config import HOUR
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from streams.attribution.entry import Entry
from streams.attribution.fold import Fact, Step
from streams.engine.devices import Devices, Read, TooLarge
from streams.engine.holds import Holds, hold_row
from streams.engine.letters import Letters
from streams.engine.raw import Raw
from streams.postbacks.decide import Level, decide
from streams.postbacks.index import Index

_encode = msgspec.json.Encoder().encode

#: What is held of an app that is not configured any more is looked at again after so long: it may come back.
LOOK_AGAIN = HOUR


class Refused(NamedTuple):
    """Why a record has no place: a key of `schemas.dead_letter.REASONS`, or `unknown_app` (ignored and counted, no dead
    letter).
    """

    reason: str
    detail: str


class Outgoing(NamedTuple):
    """A record to produce, always to the partition number of the batch."""

    topic: str
    key: bytes | None
    value: bytes


class Limits(NamedTuple):
    """Sizes in bytes and counts. `record_bytes` holds for states too, `job_bytes` for what a broker takes by default.
    `releases`: devices released in one batch, so that one transaction stays small.
    """

    record_bytes: int = 1_000_000
    job_bytes: int = 1_000_000
    held_records: int = 1_000
    releases: int = 2_000


class Names(NamedTuple):
    """The full names of the topics that the pipeline writes."""

    delivery: str
    decisions: str
    dead_letters: str


@dataclass(slots=True)
class Output:
    """What to write, all in one transaction: records to produce and rows to put (None deletes).

    `taken` is how many of the batch's records are in it; the rest must be given again. `more`: call again at once,
    releases are left. `counts` has keys (metric, *labels). `decided_from` are the append times of the records decided
    at once (not held).
    """

    taken: int = 0
    more: bool = False
    outgoing: list[Outgoing] = field(default_factory=list)
    puts: dict[bytes, bytes | None] = field(default_factory=dict)
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    decided_from: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Setting:
    """What all batches of a process share."""

    index: Index
    names: Names
    level: Level
    limits: Limits


class Batch:
    """Takes records in order; `finish` gives what to write."""

    def __init__(self, setting: Setting, partition: int, now: int, read: Read, holds: Holds) -> None:
        self._setting, self._now, self._holds = setting, now, holds
        self._letters = Letters(partition, now)
        limits = setting.limits
        self.devices = Devices(read, setting.index.lookbacks, limits.record_bytes, limits.held_records)
        self.output = Output()
        self._released = 0

    def take(self, raw: Raw, placed: Entry | Refused) -> None:
        """Decide the next record."""
        self.output.taken += 1
        if isinstance(placed, Entry):
            self._fold(raw, placed)
            return
        if placed.reason == "unknown_app":
            self.output.counts["records_total", raw.topic, placed.reason] += 1
        else:
            self._refuse(raw, placed.reason, placed.detail)

    def release_before(self, progress: int) -> bool:
        """Release every device that is due before `progress`. False when the limit of one batch was reached before the
        last one.
        """
        while (device_key := self._holds.pop_due(progress)) is not None:
            if self._released >= self._setting.limits.releases:
                self.output.more = True
                return False
            self._released += 1
            self._release(device_key, progress)
        return True

    def finish(self) -> Output:
        """The output, states included. The batch is over."""
        self.output.puts.update(self.devices.rows())
        return self.output

    def _fold(self, raw: Raw, entry: Entry) -> None:
        app = self._setting.index.apps[entry.record.app_id]
        try:
            step = self.devices.fold(entry, app, len(raw.value or b""))
        except TooLarge as error:
            self._refuse(raw, "too_large", str(error))
            return
        except Exception as error:
            self._refuse(raw, "internal", _described(error))
            return
        # The record that makes its device hold too many is released with the others: then its fact has an entry of its
        # own.
        result = next((fact.result for fact in step.facts if fact.entry is entry), "processed")
        self.output.counts["records_total", raw.topic, result] += 1
        if result != "held":
            self.output.decided_from.append(entry.appended)
        for fact in step.facts:
            self._tell(fact)
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
            self._dead_letter(self._letters.of_device(device_key, "internal", _described(error)))
            return
        for fact in step.facts:
            self._tell(fact)
        self._reschedule(device_key, step)

    def _tell(self, fact: Fact) -> None:
        """Count and write what a fact means for the postbacks."""
        setting, output = self._setting, self.output
        app_id = fact.entry.record.app_id
        for derived in fact.derived:
            output.counts["derived_events_total", app_id, self._label(app_id, derived.event)] += 1
        if not fact.derived and setting.level == "off":
            return
        limit = min(setting.limits.record_bytes, setting.limits.job_bytes)
        try:
            decided = decide(setting.index, fact, self._now, setting.level, limit)
        except Exception as error:
            self._dead_letter(self._letters.of_entry(fact.entry, "internal", _described(error)))
            return
        for verdict in decided.too_large:
            what = f"the job of postback {verdict.postback_id}: {verdict.detail}"
            self._dead_letter(self._letters.of_entry(fact.entry, "too_large", what))
        key = fact.entry.device_key.encode("utf-8", "surrogatepass")
        for job, value in decided.jobs:
            output.outgoing.append(Outgoing(setting.names.delivery, key, value))
            output.counts["postbacks_decided_total", app_id, job.partner, job.postback_id, job.event] += 1
        if decided.decision is not None:
            output.outgoing.append(Outgoing(setting.names.decisions, key, _fitting(decided.decision, limit)))

    def _label(self, app_id: str, event: str) -> str:
        """Names of custom events are the users' to make up: those that no postback fires on share one label."""
        if ":" not in event or self._setting.index.bucket(app_id, event) is not None:
            return event
        return event.partition(":")[0] + ":*"

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
        self._holds.put(device_key, due, records)
        self.output.puts[hold_row(due, device_key)] = b"%d" % records

    def _unhold(self, device_key: str) -> None:
        due = self._holds.due_of(device_key)
        if due is not None:
            self._holds.drop(device_key)
            self.output.puts[hold_row(due, device_key)] = None

    def _refuse(self, raw: Raw, reason: str, detail: str) -> None:
        self.output.counts["records_total", raw.topic, "dead_letter"] += 1
        self._dead_letter(self._letters.of_record(raw, reason, detail))

    def _dead_letter(self, letter: DeadLetter) -> None:
        self.output.counts["dead_letters_total", letter.kind, letter.reason] += 1
        self.output.outgoing.append(Outgoing(self._setting.names.dead_letters, letter.key, _encode(letter)))


def _fitting(decision: Decision, limit: int) -> bytes:
    """The decision's record. Thousands of verdicts would be refused by its topic: then it tells as many as fit."""
    while len(value := _encode(decision)) > limit and decision.verdicts:
        decision.verdicts = decision.verdicts[: len(decision.verdicts) // 2]
    return value


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
