"""Ctrl-C and its kin, so that a command may be ended at any moment and still leaves nothing behind.

The first signal raises `Interrupted` wherever the main thread stands, except within `held`, where it waits for the end
of the block: there things are made that somebody must know of to take them away again. Nor does it where Python would
swallow it (a finaliser), but a moment later. No later signal raises anything, and none does within `closing`: whoever
cleans up is not interrupted, and sees in `hurry` that the user has lost patience.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: As a shell says that a command was ended by Ctrl-C.
EXIT_STATUS = 130

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Within these functions an exception is printed and forgotten: finalisers, and what forgets the lock of a module that
#: has been imported (`importlib._bootstrap`).
SWALLOWING = frozenset({"__del__", "cb"})
#: So much later (seconds) it is tried once more.
ONCE_MORE_S = 0.01


class Interrupted(BaseException):
    """Somebody wants the command to end."""


class Interrupts:
    """For the main thread of one command, from its first moment to its last."""

    def __init__(self) -> None:
        #: How often somebody has asked.
        self.asked = 0
        #: Somebody has asked again, or asks while the end is under way.
        self.hurry = False
        self._held = 0
        self._over = False

    def install(self) -> None:
        """Take the signals over, for the rest of the process; not the end of the terminal, when the command was started
        so that it outlives that (`nohup`).
        """
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._asked)

    def check(self) -> None:
        """Raises `Interrupted` when somebody has asked. For loops: an exception that a signal raises may be swallowed
        by who catches everything.
        """
        if self.asked and not self._over and not self._held:
            raise Interrupted

    def over(self) -> None:
        """The command has done its work: from here on signals are ignored, also while Python ends."""
        self._over = True
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """A block that ends and removes what there is."""
        before, self._over = self._over, True
        try:
            yield
        finally:
            self._over = before

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that is short and is not torn apart: a signal within it is raised at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        self.check()

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        if self._over or self.asked > 1:
            self.hurry = True
        else:
            self._raise(number, frame)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_name in SWALLOWING:
                signal.signal(signal.SIGALRM, self._raise)
                signal.setitimer(signal.ITIMER_REAL, ONCE_MORE_S)
                return
            frame = frame.f_back
        self.check()
