"""Gathers what the topics hold of a device and a record of it. Blocks; raises `Stop`."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.config import Configuration
from schemas.user import UserRecord
from streams.attribution import users
from streams.attribution.entry import Entry
from streams.config import control, follow
from streams.engine.output import Limits
from streams.errors import Stop
from streams.postbacks.index import Index

from .found import History, Kept, Looked, Material, Reading, Recorded, UserSeen
from .history import history_of
from .keeping import Site, kept, partition_of, user_state, users_partition
from .scanning import Place
from .shown import looked_lines
from .sifting import NEAR, Candidate, Sieve, occurrences
from .story import is_called
from .taking import Taking, Written, decoded
from .verdicts import decisions_of

#: Clocks of producers and brokers differ: what was written about a record is looked for from so long before it.
EARLIER = 10 * 60_000
#: Later than any append time: what is not held any more was released at some time before.
AT_LAST = 1 << 61

_SURROGATES = "surrogatepass"


def material(at: Site, record_id: str, device_key: str, since: int | None, now: int) -> Material:
    """Everything about a record. `since`: append time in ms, before which the inputs are not read; `now` in ms. Raises
    `Stop` when there is no such record.
    """
    return _Looking(at, record_id, device_key, now).look(since)


class _Looking:
    def __init__(self, at: Site, record_id: str, device_key: str, now: int) -> None:
        self._site, self._record_id, self._device_key, self._now = at, record_id, device_key, now
        self._number = partition_of(device_key, at.partitions)
        settings = at.settings
        self._limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
        self._kept = Kept()
        self._looked: list[Looked] = []

    def look(self, since: int | None) -> Material:
        site = self._site
        self._kept = kept(site, self._device_key)
        sieves = self._sift(since)
        candidates = [one for sieve in sieves for one in sieve.kept]
        found = self._history(candidates, site.live)
        wanted = [one for one in found.readings if is_called(one, self._record_id)]
        if not wanted:
            raise self._none(sieves)
        user = self._user(wanted)
        recorded = self._recorded(wanted, user)
        if self._kept.positions is None and not (recorded.jobs or recorded.receipts or recorded.decisions):
            self._kept.positions = {}
            found = self._history(candidates, site.live)
        told = Material(
            record_id=self._record_id,
            device_key=self._device_key,
            partition=self._number,
            partitions=site.partitions,
            now=self._now,
            live=site.live,
            configuration=site.live,
            history=found,
            recorded=recorded,
            kept=self._kept,
            user=user,
            looked=self._looked,
            worker=site.settings.worker_id,
            sender=site.settings.sender_group,
            job_bytes=min(self._limits.record_bytes, self._limits.job_bytes),
        )
        if site.names.control in site.exists:
            told.controls = control.read_controls(site.settings)
        self._under_its_generation(told, wanted, candidates)
        return told

    def _sift(self, since: int | None) -> list[Sieve]:
        site = self._site
        spans = site.scanner.spans([(source.topic, self._number) for source in site.inputs], since)
        sieves = {
            source.topic: Sieve(self._record_id, self._device_key, source, self._number) for source in site.inputs
        }
        for message in site.scanner.read(spans):
            sieve = sieves[message.topic() or ""]
            sieve.take(message.offset() or 0, message.timestamp()[1], message.key(), message.value())
        for (topic, number), span in spans.items():
            sieve = sieves[topic]
            self._looked.append(Looked(topic, number, sieve.records, sieve.first, sieve.last, span.first > 0))
        return list(sieves.values())

    def _history(self, candidates: Iterable[Candidate], configuration: Configuration) -> History:
        index = Index(configuration)
        found = occurrences(candidates, self._record_id, self._device_key, configuration, index, self._limits)
        positions, device = self._kept.positions, self._kept.device
        until: int | None = self._now
        if positions is not None:
            until = AT_LAST if device is not None and not device.held else None
        return history_of(self._device_key, found, index, self._limits, positions, until)

    def _none(self, sieves: list[Sieve]) -> Stop:
        looked = "\n".join(f"  {line}" for line in looked_lines(self._looked))
        kept = sum(len(sieve.kept) for sieve in sieves)
        of_device = f"{kept:,} of them seem to be of this device" if kept else "none is of this device"
        hints = [
            "look at the id, and at the device key: <app_id>|<identifier>, the first one in the app's `device_key` "
            "order; advertising ids are lower-cased",
        ]
        app_id = self._device_key.partition("|")[0]
        apps = [app.id for app in self._site.live.apps]
        if app_id not in apps:
            hints.insert(0, f"no app {app_id} is configured; there are {', '.join(apps) or 'none'}")
        for raw in [one for sieve in sieves for one in sieve.near][:NEAR]:
            key = (raw.key or b"").decode("utf-8", "replace")
            hints.append(
                f"{raw.topic} partition {raw.partition} offset {raw.offset} mentions {self._record_id}, under the "
                f"Kafka key {key!r}"
            )
        if any(one.truncated for one in self._looked):
            hints.append("older records are gone by the topic's retention, or were left out by --since")
        hints.append(
            "look at RINGBACK_TOPIC_PREFIX and at `sources`; a record in another partition than its device's stops "
            "the worker"
        )
        return Stop(
            f"there is no record {self._record_id} of device {self._device_key} among:\n{looked}\n({of_device})",
            "\n".join(hints),
        )

    def _user(self, wanted: Iterable[Reading]) -> UserSeen | None:
        site = self._site
        apps = {app.id: app for app in site.live.apps}
        entries = [one.occurrence.placed for one in wanted if isinstance(one.occurrence.placed, Entry)]
        named = next((one for one in entries if one.record.user_id and one.record.app_id in apps), None)
        if named is None:
            return None
        seen = UserSeen(users.user_key(apps[named.record.app_id], named.record.user_id or ""))
        row, _ = user_state(site, seen.key)
        seen.state = None if row is None else users.decode(row)
        key = seen.key.encode("utf-8", _SURROGATES)
        if site.names.users in site.exists:
            place = (site.names.users, users_partition(site, seen.key))
            values = (one.value() for one in site.scanner.read(site.scanner.spans([place], None)) if one.key() == key)
            seen.told = [told for value in values if (told := decoded(value, UserRecord)) is not None]
        return seen

    def _recorded(self, wanted: list[Reading], user: UserSeen | None) -> Recorded:
        site, names = self._site, self._site.names
        written = (names.delivery, *names.retries(), names.receipts, names.dead_letters, names.decisions)
        numbers = {self._number} | ({users_partition(site, user.key)} if user is not None else set())
        places: list[Place] = [(name, number) for name in written if name in site.exists for number in numbers]
        since = min(self._now, *(one.occurrence.raw.appended for one in wanted)) - EARLIER
        raws = {(one.occurrence.raw.topic, one.occurrence.raw.offset) for one in wanted}
        taking = Taking(names, self._record_ids(wanted), self._device_key.encode("utf-8", _SURROGATES), raws)
        for message in site.scanner.read(site.scanner.spans(places, since)):
            taking.take(Written(message.topic() or "", message.timestamp()[1], message.key(), message.value()))
        return taking.found

    def _record_ids(self, wanted: Iterable[Reading]) -> set[str]:
        placed = (one.occurrence.placed for one in wanted)
        return {one.id for one in placed if isinstance(one, Entry)} | {self._record_id}

    def _under_its_generation(self, told: Material, wanted: Iterable[Reading], candidates: list[Candidate]) -> None:
        """Judge by the configuration that decided the record, if that can be told and is kept."""
        entries = [one.occurrence.placed for one in wanted if isinstance(one.occurrence.placed, Entry)]
        generations = [one.generation for entry in entries for one in decisions_of(told, entry)]
        generations += [seen.job.generation for seen in told.recorded.jobs.values()]
        generations += [one.generation for one in told.recorded.receipts]
        told.generation = generations[0] if generations else None
        if told.generation is None or told.generation == told.live.generation:
            return
        found = follow.read_generation(self._site.settings, told.generation)
        if found is not None:
            told.configuration = found
            told.history = self._history(candidates, found)
