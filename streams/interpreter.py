"""Settings of the interpreter for a process that works through batches: a worker or a sender."""

from __future__ import annotations

import gc
import sys

SWITCH_S = 0.001
#: Thresholds of Python's cycle collector.
COLLECT_AT = (50_000, 20, 100)


def tune() -> None:
    """When everything that stays has been made."""
    # Threads that come back from the broker, or from a socket, must not wait 5 ms for the interpreter while another one
    # works on a batch.
    sys.setswitchinterval(SWITCH_S)
    # A batch makes a hundred thousand objects and hardly a cycle: by default the collector would look at them, and at
    # all that is buffered, again and again (a quarter of the time, measured).
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)
