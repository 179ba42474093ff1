"""Gathers what the topics hold of a device and a record of it. Blocks; raises `Stop`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.config import Configuration
from schemas.user import UserRecord
from streams.attribution import users
from streams.attribution.entry import Entry
from streams.config import control, follow
from streams.config.problems import did_you_mean
from streams.engine.output import Limits
from streams.errors import Stop
from streams.postbacks.index import Index

from .found import History, Kept, Looked, Material, Reading, Recorded, UserSeen
from .history import history_of
from .keeping import Site, kept, partition_of, unknown_app, user_state, users_partition
from .keys import normalised
from .listing import MOST, listing
from .scanning import Place
from .shown import listing_lines, looked_lines, wrong_key
from .sifting import NEAR, Candidate, Sieve, occurrences
from .story import is_called
from .taking import Taking, Written, decoded
from .told import Listing
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
    return _looking(at, record_id, device_key, since, now).look()


def records(
    at: Site, device_key: str, since: int | None, now: int, most: int = MOST
) -> tuple[Listing, list[str], list[Looked]]:
    """The newest records of a device, what is to be said of the list, and what was looked through. Raises `Stop` when
    there are none.
    """
    return _looking(at, "", device_key, since, now).listing(most)


#: An offset behind every record.
ALL = 1 << 62


def _looking(at: Site, record_id: str, device_key: str, since: int | None, now: int) -> _Looking:
    """Who has read the device's partition; of the key as it must be written, if that is the one with records."""
    found = _Looking(at, record_id, device_key, now)
    found.sift(since)
    other = normalised(device_key, at.live.apps)
    if other is not None and not found.history.readings:
        instead = _Looking(at, record_id, other, now, device_key)
        instead.sift(since)
        if instead.history.readings:
            return instead
    return found


class _Looking:
    def __init__(self, at: Site, record_id: str, device_key: str, now: int, asked_for: str = "") -> None:
        self._site, self._record_id, self._device_key, self._now = at, record_id, device_key, now
        self._asked_for = asked_for or device_key
        self._number = partition_of(device_key, at.partitions)
        settings = at.settings
        self._limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
        self._kept = Kept()
        self._looked: list[Looked] = []
        self._sieves: list[Sieve] = []
        self._candidates: list[Candidate] = []
        #: What the device's records come to by the live configuration.
        self.history = History()

    def sift(self, since: int | None) -> None:
        """Read what the worker keeps, and the device's partition."""
        self._kept = kept(self._site, self._device_key)
        self._sieves = self._sift(since)
        self._candidates = [one for sieve in self._sieves for one in sieve.kept]
        self.history = self._history(self._record_id, self._site.live)

    def listing(self, most: int) -> tuple[Listing, list[str], list[Looked]]:
        """The device's records."""
        if not self.history.readings:
            raise self._none()
        if self._kept.positions is None:
            self._kept.positions = {}
            self.history = self._history("", self._site.live)
        told = list(wrong_key(self._asked_for, self._device_key))
        return listing(self._device_key, self.history, most), told, self._looked

    def look(self) -> Material:
        """Everything about the record."""
        site, found = self._site, self.history
        wanted = [one for one in found.readings if is_called(one, self._record_id)]
        if not wanted:
            raise self._none()
        of_users = self._users(wanted)
        recorded = self._recorded(wanted, of_users)
        if self._kept.positions is None and not (recorded.jobs or recorded.receipts or recorded.decisions):
            self._kept.positions = {}
            found = self._history(self._record_id, site.live)
        told = Material(
            record_id=self._record_id,
            device_key=self._device_key,
            asked_for=self._asked_for,
            partition=self._number,
            partitions=site.partitions,
            now=self._now,
            live=site.live,
            configuration=site.live,
            history=found,
            recorded=recorded,
            kept=self._kept,
            user=next(iter(of_users.values()), None),
            users=of_users,
            looked=self._looked,
            worker=site.settings.worker_id,
            sender=site.settings.sender_group,
            job_bytes=min(self._limits.record_bytes, self._limits.job_bytes),
        )
        if site.names.control in site.exists:
            told.controls = control.read_controls(site.settings)
        self._under_its_generation(told, wanted)
        return told

    def _sift(self, since: int | None) -> list[Sieve]:
        site = self._site
        # Records of a source that is rekeyed may lie anywhere.
        sieves = {
            (source.topic, number): Sieve(self._record_id, self._device_key, source, number)
            for source in site.inputs
            for number in site.rekeyed.get(source.topic, [self._number])
        }
        spans = site.scanner.spans(sieves, since)
        for message in site.scanner.read(spans):
            sieve = sieves[message.topic() or "", message.partition() or 0]
            sieve.take(message.offset() or 0, message.timestamp()[1], message.key(), message.value())
        for (topic, number), span in spans.items():
            sieve = sieves[topic, number]
            self._looked.append(Looked(topic, number, sieve.records, sieve.first, sieve.last, span.first > 0))
        return list(sieves.values())

    def _history(self, record_id: str, configuration: Configuration) -> History:
        index = Index(configuration)
        found = occurrences(self._candidates, record_id, self._device_key, configuration, index, self._limits)
        positions, device = self._kept.positions, self._kept.device
        if positions is not None:
            # Of a source that is rekeyed the worker counts by another topic: taken to be as far as what is read here.
            positions = positions | dict.fromkeys(self._site.rekeyed, ALL)
        until: int | None = self._now
        if positions is not None:
            until = AT_LAST if device is not None and not device.held else None
        return history_of(self._device_key, found, index, self._limits, positions, until)

    def _none(self) -> Stop:
        looked = "\n".join(f"  {line}" for line in looked_lines(self._looked))
        everything = self._history("", self._site.live)
        what = f"record {self._record_id}" if self._record_id else "record"
        lines = [f"there is no {what} of device {self._device_key} among:", looked]
        if everything.readings:
            lines += listing_lines(listing(self._device_key, everything))
        else:
            lines.append("(none is of this device)")
        return Stop("\n".join(lines), "\n".join(self._hints(everything)))

    def _hints(self, everything: History) -> Iterator[str]:
        unknown = unknown_app(self._site, self._device_key.partition("|")[0])
        if unknown is not None:
            yield unknown
        yield from wrong_key(self._asked_for, self._device_key)
        ids = [one.occurrence.placed.id for one in everything.readings if isinstance(one.occurrence.placed, Entry)]
        if near := did_you_mean(self._record_id, ids):
            yield near
        if not everything.readings and self._kept.device is not None:
            yield "the worker remembers this device: its records are gone; `ringback state` shows what is left of them"
        yield (
            "look at the id, and at the device key: <app_id>|<identifier>, the first one in the app's `device_key` "
            "order; advertising ids are lower-cased"
        )
        for raw in [one for sieve in self._sieves for one in sieve.near][:NEAR]:
            key = (raw.key or b"").decode("utf-8", "replace")
            yield (
                f"{raw.topic} partition {raw.partition} offset {raw.offset} mentions {self._record_id}, under the "
                f"Kafka key {key!r}"
            )
        if any(one.truncated for one in self._looked):
            yield "older records are gone by the topic's retention, or were left out by --since"
        yield (
            "look at RINGBACK_TOPIC_PREFIX and at `sources`; a record in another partition than its device's stops "
            "the worker"
        )

    def _users(self, wanted: Iterable[Reading]) -> dict[str, UserSeen]:
        apps = {app.id: app for app in self._site.live.apps}
        entries = [one.occurrence.placed for one in wanted if isinstance(one.occurrence.placed, Entry)]
        named = [one.record for one in entries if one.record.user_id and one.record.app_id in apps]
        keys = dict.fromkeys(users.user_key(apps[one.app_id], one.user_id or "") for one in named)
        return {key: self._user(key) for key in keys}

    def _user(self, user_key: str) -> UserSeen:
        site, seen = self._site, UserSeen(user_key)
        row, _ = user_state(site, seen.key)
        seen.state = None if row is None else users.decode(row)
        key = seen.key.encode("utf-8", _SURROGATES)
        if site.names.users in site.exists:
            place = (site.names.users, users_partition(site, seen.key))
            values = (one.value() for one in site.scanner.read(site.scanner.spans([place], None)) if one.key() == key)
            told = [one for value in values if (one := decoded(value, UserRecord)) is not None]
            seen.told = [one for one in told if one.worker in ("", site.settings.worker_id)]
        return seen

    def _recorded(self, wanted: list[Reading], user_keys: Iterable[str]) -> Recorded:
        site, names = self._site, self._site.names
        written = (names.delivery, *names.retries(), names.receipts, names.dead_letters, names.decisions)
        numbers = {self._number} | {users_partition(site, key) for key in user_keys}
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

    def _under_its_generation(self, told: Material, wanted: Iterable[Reading]) -> None:
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
            told.history = self._history(self._record_id, found)
