"""Which stored states no record can find any more (the app's `forget_after`, see `streams.attribution.forgetting`).

Pure. Deleting them changes no decision: it only gives back the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from schemas.config import Configuration
from streams.attribution import forgetting, state, users
from streams.engine.holds import DEVICE_PREFIX
from streams.engine.stages import StageName
from streams.engine.users import USER_PREFIX

PREFIXES: Mapping[StageName, bytes] = {"device": DEVICE_PREFIX, "user": USER_PREFIX}


class Rules:
    """After how long states are forgotten: those of devices by their app, those of users by their project."""

    def __init__(self, configuration: Configuration) -> None:
        apps = configuration.apps
        self.generation = configuration.generation
        self._after: Mapping[StageName, dict[str, int]] = {
            "device": {app.id: app.forget_after for app in apps if app.forget_after is not None},
            "user": forgetting.of_projects(apps),
        }
        #: No record waits for its install longer than this.
        self.longest_hold = max((app.install_grace for app in apps), default=0)

    def any_of(self, stage: StageName) -> bool:
        """Whether anything of this stage is ever forgotten."""
        return bool(self._after[stage])

    def of(self, stage: StageName) -> Mapping[str, int]:
        """By app, or by project."""
        return self._after[stage]


class Forgotten(NamedTuple):
    """A row to delete, and the app to count it under: of a user that of its first record."""

    key: bytes
    app_id: str


def forgotten(
    stage: StageName, rules: Rules, rows: Iterable[tuple[bytes, bytes | None]], before: int
) -> Iterator[Forgotten]:
    """Those of the stage's rows (key, value) that are none to any record appended at `before` or later.

    A device that holds records is not among them, nor is a row that cannot be read: whoever needs it will tell.
    """
    after = rules.of(stage)
    for key, value in rows:
        owner = key[1:].partition(b"|")[0].decode("utf-8", "surrogatepass")
        forget_after = after.get(owner)
        if forget_after is None or value is None:
            continue
        try:
            appended_s, app_id = _device(value, owner) if stage == "device" else _user(value)
        except (ValueError, msgspec.MsgspecError):
            continue
        if forgetting.is_forgotten(appended_s, before, forget_after):
            yield Forgotten(key, app_id)


def _device(stored: bytes, app_id: str) -> tuple[int, str]:
    """The append time of its newest record (seconds; 0: it stays whatever comes), and its app."""
    device = state.decode(stored)
    return (0 if device.held else device.appended_s), app_id


def _user(stored: bytes) -> tuple[int, str]:
    user = users.decode(stored)
    return user.appended_s, user.app_id
