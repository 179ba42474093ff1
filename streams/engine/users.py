"""The user stage's pipeline: what the device stage tells of a user's records, folded and decided (contract §5, scope
U). Pure; its input is the users topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import methodcaller

import msgspec

from schemas.config import DAY, Configuration
from schemas.report import LAST_DAY
from schemas.user import UserRecord
from streams.attribution import forgetting, users
from streams.attribution.users import User
from streams.engine.devices import Read
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names, Output, Setting
from streams.engine.raw import Raw
from streams.engine.telling import Telling, described
from streams.postbacks.decide import Level
from streams.postbacks.index import Index

USER_PREFIX = b"u"

_copy = methodcaller("__copy__")
_decode = msgspec.json.Decoder(UserRecord).decode


def user_row(key: str) -> bytes:
    """The key of a user's state row."""
    return _row(key.encode("utf-8", "surrogatepass"))


def _row(key: bytes | None) -> bytes:
    return USER_PREFIX + (key or b"")


class UserPipeline:
    """One per process. `configure` before the first batch, and between batches whenever the configuration changes."""

    def __init__(self, names: Names, level: Level, limits: Limits) -> None:
        self._names, self._level, self._limits = names, level, limits
        self._setting: Setting | None = None
        self._forget: dict[str, int] = {}

    def configure(self, configuration: Configuration) -> None:
        """Decide by this configuration from the next batch on. Raises `TemplateErrors`, and keeps the old one."""
        self._setting = Setting(Index(configuration), self._names, self._level, self._limits, "user")
        self._forget = forgetting.of_projects(configuration.apps)

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
        """Decide a batch, see `pipeline.Pipeline.process`; nothing is held here."""
        if self._setting is None:
            raise RuntimeError("process before configure")
        batch = _UserBatch(self._setting, Telling(self._setting, partition, now, partitions), read, self._forget)
        placed = [_placed(raw) for raw in records]
        batch.load(raw.key for raw, told in zip(records, placed, strict=True) if isinstance(told, UserRecord))
        for raw, told in zip(records, placed, strict=True):
            batch.take(raw, told)
        return batch.finish()


def _placed(raw: Raw) -> UserRecord | str:
    """The record, or what is wrong with it."""
    if raw.key is None:
        return "without a key"
    try:
        raw.key.decode("utf-8", "surrogatepass")
        told = _decode(raw.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    times = (told.at, told.appended, told.first.start, (told.current or told.first).start)
    # The device stage tells no others: days are counted by them, and states must be able to hold them.
    return told if min(times) >= 0 and max(times) <= LAST_DAY * DAY else "a time that no record can have"


class _UserBatch:
    """The users that one batch touches: read once, folded in memory, written once.

    A user is known by the key of its records, as whoever told of it knew it: that put the record into this partition.
    The project of its app may be another one by now; the user is of that from what is told next.
    """

    def __init__(self, setting: Setting, telling: Telling, read: Read, forget: dict[str, int]) -> None:
        self._setting, self._telling, self._read, self._forget = setting, telling, read, forget
        self._users: dict[bytes | None, User | None] = {}
        self._changed: dict[bytes | None, None] = {}
        self._processed: dict[str, int] = {}

    def load(self, keys: Iterable[bytes | None]) -> None:
        """Read the states of the users of these keys at once."""
        wanted = list(dict.fromkeys(keys))
        for key, row in zip(wanted, self._read([_row(key) for key in wanted]), strict=True):
            self._users[key] = None if row is None else users.decode(row)

    def take(self, raw: Raw, told: UserRecord | str) -> None:
        """Fold and decide the next record. Ignored and counted is one of an app that is not configured any more, and
        one that a worker of another id has told: its devices are told of anew.
        """
        telling, setting = self._telling, self._setting
        telling.output.taken += 1
        if isinstance(told, str):
            telling.refuse(raw, "invalid", told)
            return
        if ignored := self._ignored(told):
            telling.output.counts["records_total", raw.topic, ignored] += 1
            return
        key = raw.key
        known = self._users[key]
        try:
            # A copy: after an error the state is as before.
            copy = None if known is None else _copy(known)
            app = setting.index.apps[told.app_id]
            user, judged = users.judge(copy, told, app, self._forget.get(app.project))
            # Most records mean nothing more to their user than that there was one: they are not even decoded.
            silent = not judged.derived and setting.level != "all"
            fact = None if silent else users.fact_of(told, users.entry_of(told), judged)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            telling.refuse(raw, "invalid", str(error))
            return
        except Exception as error:
            telling.refuse(raw, "internal", described(error))
            return
        # With these the share of bad ones is known, by which a source is paused.
        self._processed[raw.topic] = self._processed.get(raw.topic, 0) + 1
        self._users[key] = user
        if user != known:
            self._changed[key] = None
        if fact is not None:
            telling.tell(fact)

    def finish(self) -> Output:
        """The output, states included. The batch is over."""
        output = self._telling.finish(self._read)
        for topic, many in self._processed.items():
            output.counts["records_total", topic, "processed"] += many
        for key in self._changed:
            if (user := self._users[key]) is not None:
                output.puts[_row(key)] = users.encode(user)
        return output

    def _ignored(self, told: UserRecord) -> str | None:
        """Why the record is none of ours, as it is counted; None when it is ours. A replay has no id, and takes all."""
        own = self._setting.names.worker
        if told.worker and own and told.worker != own:
            return "foreign"
        return None if told.app_id in self._setting.index.apps else "unknown_app"
