"""The users of some devices: what the device stage tells of each record, and what the user stage makes of it."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.user import UserRecord
from streams.attribution import users
from streams.attribution.facts import Fact
from streams.attribution.users import User
from tests.unit.attribution.timeline import Timeline, lines_of


class Users:
    """Each step answers with what it gave to its user, in lines such as `new_user #1 acme`."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.facts: list[Fact] = []

    def install(self, device: Timeline, at: int, by: str | None = None, **fields: Any) -> list[str]:
        """An install of a device, of the user `u` unless told otherwise."""
        before = len(device.facts)
        device.install(at, by, **({"user_id": "u"} | fields))
        return self._tell(device, before)

    def event(self, device: Timeline, name: str, at: int, by: str | None = None, **fields: Any) -> list[str]:
        """An event of a device, of the user `u` unless told otherwise."""
        before = len(device.facts)
        device.event(name, at, by, **({"user_id": "u"} | fields))
        return self._tell(device, before)

    def read_past(self, device: Timeline, appended: int) -> list[str]:
        """What the device holds is released."""
        before = len(device.facts)
        device.read_past(appended)
        return self._tell(device, before)

    def state(self, user_id: str = "u", project: str = "example") -> User:
        """What is stored of a user."""
        return users.decode(self.states[f"{project}|{user_id}"])

    @property
    def last(self) -> Fact:
        return self.facts[-1]

    def _tell(self, device: Timeline, before: int) -> list[str]:
        lines = []
        for fact in device.facts[before:]:
            user_id = fact.entry.record.user_id
            if fact.result not in ("processed", "reinstall") or not user_id:
                continue
            told = msgspec.json.decode(msgspec.json.encode(users.tell(fact)), type=UserRecord)
            entry = users.entry_of(told)
            assert entry == fact.entry
            key = users.user_key(device.app, user_id)
            known = self.states.get(key)
            user, of_user = users.fold(None if known is None else users.decode(known), told, entry, device.app)
            self.states[key] = users.encode(user)
            self.facts.append(of_user)
            lines += lines_of(of_user)
        return lines
