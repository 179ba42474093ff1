"""What a sentence is about. Pure."""

from __future__ import annotations

from typing import NamedTuple

from schemas.config import App
from streams.attribution.entry import Entry
from streams.attribution.facts import Fact
from streams.attribution.state import Device
from streams.attribution.touches import Lookbacks
from streams.postbacks.index import Candidate

from .found import Material, Reading
from .user_history import UserHistory


class Scene(NamedTuple):
    """What a sentence is about: a reading of the record, and where it is about a postback, that one and its event."""

    material: Material
    reading: Reading
    app: App | None
    lookbacks: Lookbacks
    event: str = ""
    candidate: Candidate | None = None
    detail: str = ""
    worker: str = ""
    #: The fact that was decided, of the device or of the user.
    fact: Fact | None = None
    #: What it was to its user, in what concerns the user.
    past: UserHistory | None = None

    @property
    def entry(self) -> Entry:
        """The record. Only asked for when it has a place."""
        placed = self.reading.occurrence.placed
        assert isinstance(placed, Entry)
        return placed

    @property
    def before(self) -> Device:
        """The device before it."""
        return self.reading.before or Device()
