"""How a worker ends before its time, so that whoever supervises it can tell the cases apart."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from typing import NoReturn

log = logging.getLogger(__name__)

#: A batch could not be checkpointed; after a restart it is processed again. Always safe to restart.
CHECKPOINT_FAILED = 70
#: Another worker owns the partition now.
FENCED = 71
#: The state directory cannot be written.
DISK = 74
#: The configuration's sources have changed; the worker must be started anew to read them. Safe to restart.
RESTART = 75
#: The watchdog has found it stuck, for `stuck_after` and `stuck_exit`. Always safe to restart.
STUCK = 77
#: Another process has joined the group under the same instance id: it has taken this one's place. A restart would only
#: throw that one out.
TWIN = 78

#: What a process says in the end has so long (seconds) to be written: nobody may read its log any more.
LAST_WORDS_S = 5.0


def leave_soon(status: int) -> None:
    """End the process with this status in a while, whatever hangs meanwhile. From any thread, before the last words."""
    timer = threading.Timer(LAST_WORDS_S, os._exit, [status])
    timer.daemon = True
    # The interpreter may begin no thread any more.
    with contextlib.suppress(RuntimeError):
        timer.start()


def leave(status: int) -> NoReturn:
    """End the process with this status, leaving everything as it is. From any thread."""
    leave_soon(status)
    for stream in (sys.stdout, sys.stderr):
        # One may be closed, or its reader gone: the process ends all the same.
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)


def die(status: int, message: str, error: BaseException | None = None) -> NoReturn:
    """End the process at once: no handlers, no commits, nothing that an orderly end would still write."""
    leave_soon(status)
    log.critical("%s; the process ends at once (exit status %d)", message, status, exc_info=error)
    leave(status)
