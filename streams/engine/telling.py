"""What the facts of a batch mean for the postbacks, the user stage and the reports: counted, and written as records.

Both stages tell their facts in the same way; each decides the postbacks of its own scope.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from streams import kafka
from streams.attribution import users
from streams.attribution.fold import Fact
from streams.engine.counts import Counts
from streams.engine.devices import Read
from streams.engine.letters import Letters
from streams.engine.output import Outgoing, Output, Setting
from streams.engine.raw import Raw
from streams.postbacks.decide import SILENT, decide

_encode = msgspec.json.Encoder().encode

#: Facts that the user stage is told of: the record was a new one to its device.
_TOLD = frozenset(("processed", "reinstall"))
#: A user mostly comes back soon, and the hash of a key takes longer than all else that is done to place it.
_partition_of = lru_cache(maxsize=32_768)(kafka.partition_of)


class Telling:
    """The outgoing side of one batch. `now`: milliseconds. `partitions`: how many the inputs have."""

    def __init__(self, setting: Setting, partition: int, now: int, partitions: int) -> None:
        self._setting, self._now = setting, now
        self._users_partitions = kafka.users_partitions(partitions)
        self.letters = Letters(partition, now)
        self.output = Output()
        self._limit = min(setting.limits.record_bytes, setting.limits.job_bytes)
        self._counts = Counts(setting.scope, setting.index, setting.names.worker or None)
        #: With these results a record without derived events and sessions is not worth a word at this level.
        self._silent = SILENT[setting.level]
        self._tells_users = setting.scope == "device"

    def tell(self, fact: Fact) -> None:
        """Count and write what a fact means."""
        if fact.derived:
            self._counts.fired(fact)
        if self._tells_users and fact.entry.record.user_id and fact.result in _TOLD:
            self._tell_user(fact)
        if fact.derived or fact.sessions or fact.result not in self._silent:
            self._decide(fact)

    def finish(self, read: Read) -> Output:
        """The output, with the daily counts brought up to date."""
        for metric, many in self._counts.metrics():
            self.output.counts[metric] += many
        for key, value in self._counts.rows(read):
            self.output.puts[key] = value
            self.output.counted.append(key)
        return self.output

    def refuse(self, raw: Raw, reason: str, detail: str) -> None:
        """A record that cannot be used becomes a dead letter."""
        self.output.counts["records_total", raw.topic, "dead_letter"] += 1
        self.dead_letter(self.letters.of_record(raw, reason, detail))

    def dead_letter(self, letter: DeadLetter) -> None:
        """Write a dead letter."""
        self.output.counts["dead_letters_total", letter.kind, letter.reason] += 1
        self.output.outgoing.append(Outgoing(self._setting.names.dead_letters, letter.key, _encode(letter)))

    def _decide(self, fact: Fact) -> None:
        setting, outgoing, entry = self._setting, self.output.outgoing, fact.entry
        try:
            decided = decide(setting.index, fact, self._now, setting.level, self._limit, setting.scope)
        except Exception as error:
            self.dead_letter(self.letters.of_entry(entry, "internal", described(error)))
            return
        for no in decided.noes:
            verdict = no.verdict
            self._counts.refused(entry.record.app_id, entry.at, setting.index.partner_of(verdict.postback_id), no)
            if verdict.reason == "too_large":
                what = f"the job of postback {verdict.postback_id}: {verdict.detail}"
                self.dead_letter(self.letters.of_entry(entry, "too_large", what))
        if not decided.jobs and decided.decision is None:
            return
        key = entry.device_key.encode("utf-8", "surrogatepass")
        for ready in decided.jobs:
            # Without the detour by the constructor of a named tuple, which would take twice as long.
            outgoing.append(tuple.__new__(Outgoing, (setting.names.delivery, key, ready.value, None)))
            self._counts.decided(ready.job)
        if decided.decision is not None:
            outgoing.append(Outgoing(setting.names.decisions, key, _fitting(decided.decision, self._limit)))

    def _tell_user(self, fact: Fact) -> None:
        entry = fact.entry
        app = self._setting.index.apps[entry.record.app_id]
        key = users.user_key(app, entry.record.user_id or "").encode("utf-8", "surrogatepass")
        value = _encode(users.tell(fact, self._setting.names.worker))
        if len(value) > self._setting.limits.job_bytes:
            what = f"for the user stage: {len(value):,} bytes, at most {self._setting.limits.job_bytes:,} are possible"
            self.dead_letter(self.letters.of_entry(entry, "too_large", what))
            return
        partition = _partition_of(key, self._users_partitions)
        self.output.outgoing.append(tuple.__new__(Outgoing, (self._setting.names.users, key, value, partition)))


def described(error: Exception) -> str:
    """An error of a rule, as a dead letter tells it."""
    return f"{type(error).__name__}: {error}"


def _fitting(decision: Decision, limit: int) -> bytes:
    """The decision's record. Thousands of verdicts would be refused by its topic: then it tells as many as fit."""
    while len(value := _encode(decision)) > limit and decision.verdicts:
        decision.verdicts = decision.verdicts[: len(decision.verdicts) // 2]
    return value
