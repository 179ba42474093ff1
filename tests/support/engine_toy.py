"""A worker process with toys in place of the pipelines: the device stage counts records per key, emits one outgoing
record for each and tells the user stage; that counts what it is told per user, and emits one for each too.

Everything else is the engine as it is. The configuration is fixed: RINGBACK_TEST_SOURCES lists `topic:kind` with
commas.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import zlib
from collections.abc import Callable, Sequence

from schemas.config import Configuration, Source
from streams import kafka, logs, settings
from streams.engine import application
from streams.engine.holds import Holds, hold_row
from streams.engine.output import Outgoing, Output
from streams.engine.ports import Read
from streams.engine.raw import Raw
from streams.engine.stages import Processors
from streams.errors import Stop
from streams.settings import Settings

SOURCES = "RINGBACK_TEST_SOURCES"
#: Records whose value begins with this are held for so many milliseconds of install progress.
HOLD = b"hold:"


#: So many users share all the keys.
USERS = 20


def user_of(key: bytes) -> bytes:
    """The user of a key. A user has several keys, which lie in several partitions."""
    return b"user%d" % (zlib.crc32(key) % USERS)


class Toy:
    """State of a key: how often it was seen. Outgoing: where the record lay, and its number among those of its key; the
    same, without the number, for its user.
    """

    def __init__(self, settings: Settings) -> None:
        topics = kafka.Topics(settings.topic_prefix)
        self._delivery, self._users = topics.delivery, topics.users

    def configure(self, configuration: Configuration) -> None:
        pass

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
        output = Output(taken=len(records))
        for raw in records:
            if raw.value == b"wrong":
                raise Stop("a record lies in the wrong partition", "key it right", 3)
        keys = list(dict.fromkeys(b"d" + (raw.key or b"") for raw in records))
        counts = {key: int(row or 0) for key, row in zip(keys, read(keys), strict=True)}
        for raw in records:
            key = b"d" + (raw.key or b"")
            if (raw.value or b"").startswith(HOLD):
                name = f"{raw.key!r}{raw.offset}"
                due = raw.appended + int((raw.value or b"")[len(HOLD) :])
                holds.put(name, due, 1)
                output.puts[hold_row(due, name)] = b"1"
                result = "held"
            else:
                counts[key] += 1
                result = "dead_letter" if raw.value == b"bad" else "processed"
                output.decided_from.append(raw.appended)
                told = {"from": raw.topic, "at": raw.offset, "appended": raw.appended, "number": counts[key]}
                output.outgoing.append(Outgoing(self._delivery, raw.key, json.dumps(told).encode()))
                output.outgoing.append(self._of_user(raw, partitions))
            output.counts["records_total", raw.topic, result] += 1
        while progress is not None and (device := holds.pop_due(progress)) is not None:
            ended = holds.due_of(device)
            assert ended is not None
            holds.drop(device)
            output.puts[hold_row(ended, device)] = None
            output.outgoing.append(
                Outgoing(self._delivery, b"released", json.dumps({"due": ended, "progress": progress}).encode())
            )
        output.puts.update({key: b"%d" % count for key, count in counts.items()})
        return output

    def _of_user(self, raw: Raw, partitions: int) -> Outgoing:
        user = user_of(raw.key or b"")
        told = {"from": raw.topic, "partition": raw.partition, "at": raw.offset}
        place = kafka.partition_of(user, kafka.users_partitions(partitions))
        return Outgoing(self._users, user, json.dumps(told).encode(), place)


class UserToy:
    """State of a user: how often it was told of. Outgoing: what was told, and its number among those of its user."""

    def __init__(self, settings: Settings) -> None:
        self._decisions = kafka.Topics(settings.topic_prefix).decisions

    def configure(self, configuration: Configuration) -> None:
        pass

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
        output = Output(taken=len(records))
        users = list(dict.fromkeys(b"u" + (raw.key or b"") for raw in records))
        counts = {user: int(row or 0) for user, row in zip(users, read(users), strict=True)}
        for raw in records:
            user = b"u" + (raw.key or b"")
            counts[user] += 1
            told = {**json.loads(raw.value or b"{}"), "number": counts[user], "users": partitions}
            output.outgoing.append(Outgoing(self._decisions, raw.key, json.dumps(told).encode()))
        output.puts.update({user: b"%d" % count for user, count in counts.items()})
        return output


class Fixed:
    """Tells one configuration, at once."""

    def __init__(self, settings: Settings, on_change: Callable[[Configuration], None], on_error: object) -> None:
        self._on_change = on_change

    alive = True

    def start(self) -> None:
        threading.Thread(target=self._on_change, args=[configuration(os.environ[SOURCES])], daemon=True).start()

    def stop(self) -> None:
        pass


def configuration(sources: str) -> Configuration:
    """A generation that has nothing but these sources."""
    pairs = [one.split(":") for one in sources.split(",")]
    listed = tuple(Source(topic=topic, record=kind) for topic, kind in pairs)  # type: ignore[arg-type]
    return Configuration(generation=1, sources=listed, apps=(), partners=(), postbacks=())


def main() -> int:
    given = settings.load()
    logs.setup(given.log_level, given.log_format, "worker")
    return application.run(application.build_app(given, Processors(Toy(given), UserToy(given)), Fixed))


if __name__ == "__main__":
    sys.exit(main())
