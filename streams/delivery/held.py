"""A job in memory, and where it came from."""

from __future__ import annotations

from schemas.job import Job

from .offsets import Tracker
from .settling import Source


class Held:
    """A job whose work is not done; `tracker` is told when it is. `appended`: when it was written there (ms)."""

    __slots__ = ("appended", "job", "source", "tracker")

    def __init__(self, job: Job, tracker: Tracker, source: Source, appended: int) -> None:
        self.job = job
        self.appended = appended
        self.tracker = tracker
        self.source = source
