"""Named steps at which a test may let a process die, as if by kill -9, or hang for ever.

Switched on by `RINGBACK_TEST_FAULT_POINT=<step>:<n>` (at the n-th time; `<stage>/<step>:<n>` counts one stage only, and
`<step>:<n>:hang` hangs), which only tests set: the step is then announced in the log at start, so that it cannot be on
unnoticed.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence

log = logging.getLogger(__name__)

VARIABLE = "RINGBACK_TEST_FAULT_POINT"


class Points:
    """`reached(stage, step)` kills the process, or does not return, when that is the step and the time that were asked
    for. `steps` is every step there is. Raises ValueError for another one.
    """

    def __init__(self, steps: Sequence[str], wanted: str = "") -> None:
        wanted, _, times = wanted.partition(":")
        times, _, how = times.partition(":")
        if how not in ("", "hang"):
            raise ValueError(f"{VARIABLE}: a process is killed, or made to hang, not {how!r}")
        stage, _, step = wanted.rpartition("/")
        if step and step not in steps:
            raise ValueError(f"{VARIABLE}: no such step {step!r}; there are {', '.join(steps)}")
        #: The step that was asked for; empty: none.
        self.step = step
        self._stage, self._left = stage, int(times or 1)
        self._hangs = how == "hang"
        if step:
            what = "hang" if self._hangs else "be killed"
            log.warning("fault point: the process will %s at step %r, time %d", what, wanted, self._left)

    def reached(self, stage: str, step: str) -> None:
        """Called at each step of each stage. May not return."""
        if step == self.step and self._stage in ("", stage):
            self._left -= 1
            if self._left <= 0 and not self._hangs:
                os.kill(os.getpid(), signal.SIGKILL)
            while self._left <= 0:
                time.sleep(1)


def wanted() -> str:
    """What the test asked for; empty outside of tests."""
    return os.environ.get(VARIABLE, "")
