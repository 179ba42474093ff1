"""How far the reading of one partition is behind. Pure: times are passed in, all in milliseconds."""

from __future__ import annotations


class Lag:
    """`following` is the offset that is read first, `now` the time of the assignment."""

    def __init__(self, following: int, now: int) -> None:
        self._following = following
        #: What is unread was appended after this time: that of the newest record read, or of the last measurement
        #: that found nothing unread.
        self._since = now
        self._has_read = False

    def read(self, offset: int, appended: int) -> None:
        """A record was read."""
        self._following = offset + 1
        # Before the first one, the time of the assignment stands for something that is older.
        self._since = max(self._since, appended) if self._has_read else appended
        self._has_read = True

    def stood_at(self, end: int) -> None:
        """Everything below `end` was read: what lies between is no record (a transaction's end, say)."""
        self._following = max(self._following, end)

    def measured(self, start: int, end: int, now: int) -> tuple[int, float]:
        """How many records are unread, and the age in seconds of the oldest of them, when the partition reaches from
        `start` to `end`.
        """
        behind = max(0, end - max(start, self._following))
        if not behind:
            self._since = now
            self._has_read = True
            return 0, 0.0
        return behind, max(0, now - self._since) / 1000
