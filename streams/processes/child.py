"""A process under a parent: it says its number on every line of the log, tells the parent where its probes are, and
ends when the parent is gone.

Standard input is a socket whose other end only the parent holds. It is closed when the parent ends, also by SIGKILL;
then the child ends as it does after SIGTERM: what is under way is finished and committed first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from streams import logs, probes
from streams.engine.exits import CHECKPOINT_FAILED, die
from streams.errors import USAGE, Stop

log = logging.getLogger(__name__)

STANDARD_INPUT = 0
#: Beyond its grace an orderly end may take so long (seconds).
CLOSING_S = 5.0


def run(number: int, grace: float, work: Callable[[], int]) -> int:
    """Do `work` as child `number`; its exit status. `grace`: seconds that an orderly end may take. Raises `Stop`
    when no parent has started it.
    """
    logs.child(number)
    parent = _parent()
    probes.on_served(lambda port: _tell(parent, port))
    threading.Thread(target=_watch, args=[parent, grace], name="parent", daemon=True).start()
    try:
        return work()
    except Stop as stop:
        log.error("%s", stop)
        return stop.exit_code
    except Exception:
        # Not 1, which is for what a restart does not mend.
        log.exception("an error of Ringback itself; a restart is needed")
        return CHECKPOINT_FAILED


def _parent() -> socket.socket:
    """The way to the parent, taken away from standard input, where nothing else is to find it."""
    try:
        link = socket.socket(fileno=os.dup(STANDARD_INPUT))
    except OSError as error:
        raise Stop(
            "--number is said by the parent of several processes to those that it starts, and nobody has started this "
            "one so",
            "start all of them with --processes N, or a single one without --number",
            USAGE,
        ) from error
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STANDARD_INPUT)
    os.close(nothing)
    return link


def _tell(parent: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):
        parent.send(f"{port}\n".encode())


def _watch(parent: socket.socket, grace: float) -> None:
    """Returns never: the end of the parent is the end of this process."""
    with contextlib.suppress(OSError):
        while parent.recv(64):
            pass
    log.warning("the parent is gone: this process ends too")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace + CLOSING_S)
    die(CHECKPOINT_FAILED, "this process did not end within its grace after the parent")
