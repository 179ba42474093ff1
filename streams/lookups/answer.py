"""What a worker answers: a state as it is stored, as a person reads it, and how fresh it is. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import msgspec

from schemas.config import Configuration
from streams.attribution import state, users
from streams.engine.stages import StageName
from streams.explain.timeline import custom_names, device_story, user_story
from streams.explain.told import DeviceStory, UserStory

from .routing import Asked

NO_STORY = msgspec.Raw(b"null")


class Stored(msgspec.Struct, kw_only=True):
    """A state of `size` bytes. `row`: as it is stored, in base64; `version` its first byte; `story`: what
    `ringback state --json` says of it, null when this worker cannot read it.
    """

    version: int
    size: int
    row: bytes
    story: msgspec.Raw = NO_STORY


class Answer(msgspec.Struct, kw_only=True):
    """What is known of a device or user. `state` None: nothing is. `group`: the workers' (`worker_id`); `worker`: the
    URL of the one that has it.

    `positions`: by input topic the offset behind what is applied; all of that is in the state. `behind`: how many
    records of the partition's inputs are not applied yet (None: the brokers did not answer). `at`: milliseconds.
    """

    kind: StageName
    partition: int
    group: str
    worker: str
    at: int
    positions: dict[str, int]
    behind: int | None
    state: Stored | None = None


decode = msgspec.json.Decoder(Answer, strict=True).decode
encode = msgspec.json.Encoder().encode


def stored(asked: Asked, partition: int, row: bytes, configuration: Configuration | None, now: int) -> Stored:
    """The state in this row."""
    found = Stored(version=row[0] if row else 0, size=len(row), row=row)
    # A state of a newer version, say: whoever asks may know better how to read it.
    with contextlib.suppress(ValueError, msgspec.MsgspecError):
        found.story = msgspec.Raw(encode(_STORIES[asked.kind](asked.key, partition, row, configuration, now)))
    return found


def _device(key: str, partition: int, row: bytes, configuration: Configuration | None, now: int) -> DeviceStory:
    apps = configuration.apps if configuration is not None else ()
    postbacks = configuration.postbacks if configuration is not None else ()
    app = next((one for one in apps if one.id == key.partition("|")[0]), None)
    names = custom_names(one.match_event or one.event for one in postbacks)
    return device_story(key, partition, state.decode(row), len(row), app, names, now)


def _user(key: str, partition: int, row: bytes, _configuration: Configuration | None, _now: int) -> UserStory:
    return user_story(key, partition, users.decode(row), len(row))


_STORIES: dict[StageName, Callable[[str, int, bytes, Configuration | None, int], DeviceStory | UserStory]] = {
    "device": _device,
    "user": _user,
}


def freshness(answer: Answer) -> str:
    """How fresh it is, in words."""
    if answer.behind is None:
        return "how many records wait is not known: the brokers did not answer it"
    if not answer.behind:
        return "everything that has been appended is applied"
    return f"{answer.behind:,} appended record{'s are' if answer.behind > 1 else ' is'} not applied yet"


def newest(positions: Mapping[str, int]) -> str:
    """Up to where, by topic."""
    return ", ".join(f"{topic} {offset:,}" for topic, offset in sorted(positions.items())) or "nothing"
