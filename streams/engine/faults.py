"""Named steps at which a test may let the process die, as if by kill -9, or hang for ever.

Switched on by `RINGBACK_TEST_FAULT_POINT=<step>:<n>` (at the n-th time; `<stage>/<step>:<n>` counts one stage only, and
`<step>:<n>:hang` hangs), which only tests set: the step is then announced in the log at start, so that it cannot be on
unnoticed.
"""

from __future__ import annotations

import logging
import os
import signal
import time

log = logging.getLogger(__name__)

VARIABLE = "RINGBACK_TEST_FAULT_POINT"

#: Every step there is, in the order of the protocol (see `checkpoint`).
STEPS = ("decided", "begun", "produced", "committed", "stored", "acknowledged", "barrier", "recovering", "recovered")


class FaultPoints:
    """`reached(step)` kills the process, or does not return, when that is the step and the time that were asked for."""

    def __init__(self, wanted: str = "") -> None:
        wanted, _, times = wanted.partition(":")
        times, _, how = times.partition(":")
        if how not in ("", "hang"):
            raise ValueError(f"{VARIABLE}: a process is killed, or made to hang, not {how!r}")
        stage, _, step = wanted.rpartition("/")
        if step and step not in STEPS:
            raise ValueError(f"{VARIABLE}: no such step {step!r}; there are {', '.join(STEPS)}")
        self._stage, self._step, self._left = stage, step, int(times or 1)
        self._hangs = how == "hang"
        if step:
            what = "hang" if self._hangs else "be killed"
            log.warning("fault point: the process will %s at step %r, time %d", what, wanted, self._left)

    @classmethod
    def from_environment(cls) -> FaultPoints:
        """What the test asked for; nothing outside of tests."""
        return cls(os.environ.get(VARIABLE, ""))

    def reached(self, stage: str, step: str) -> None:
        """Called at each step of each stage. May not return."""
        if step == self._step and self._stage in ("", stage):
            self._left -= 1
            if self._left <= 0 and not self._hangs:
                os.kill(os.getpid(), signal.SIGKILL)
            while self._left <= 0:
                time.sleep(1)
