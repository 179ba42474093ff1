"""One worker per state directory: a file that its process keeps locked.

The kernel lets go of the lock when the process ends, whatever ended it, so that a restart after kill -9 has it at once.
In the file stands who holds it, and whether that process is ending already and worth waiting for.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streams.engine.recovery import Abandoned
from streams.errors import USAGE, Stop

log = logging.getLogger(__name__)

NAME = "lock"
#: A process that was told to end a moment ago says so within this time (seconds).
NOTICE_S = 1.0
#: Beyond its grace a process may need so long (seconds) to end.
CLOSING_S = 5.0
LOOK_S = 0.05
#: File systems that know no locks. The stores' own locks are left then.
UNKNOWN = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


class Holder(NamedTuple):
    """Who has the lock: a process id as it wrote it (empty: it has not yet), and whether it is ending."""

    pid: str
    ending: bool

    def __str__(self) -> str:
        return f"process {self.pid}" if self.pid else "another process"


class StateLock:
    """The lock of one worker's state in `folder`. `take` blocks; everything else is quick."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None

    def take(self, grace: float, stopped: Callable[[], bool]) -> None:
        """Returns when the state is ours. A holder that is ending is waited for, as long as its `grace` (seconds) lets
        it. Raises `Stop` when the state is in use, `Abandoned` when `stopped()`.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Stop(
                f"the state directory {self._path.parent} cannot be used: {error.strerror}",
                "choose another: RINGBACK_STATE_DIR",
                USAGE,
            ) from error
        try:
            self._wait(file, grace, stopped)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        self._write("running")

    def _wait(self, file: int, grace: float, stopped: Callable[[], bool]) -> None:
        begun, told = time.monotonic(), False
        while not _locked(file):
            if stopped():
                raise Abandoned
            holder = _holder(file)
            if time.monotonic() - begun > (grace + CLOSING_S if holder.ending else NOTICE_S):
                raise self._in_use(holder)
            if holder.ending and not told:
                log.info("the state in %s belongs to %s, which is ending: waiting for it", self._path.parent, holder)
                told = True
            time.sleep(LOOK_S)

    def _in_use(self, holder: Holder) -> Stop:
        return Stop(
            f"the state in {self._path.parent} is in use: {holder} runs with it"
            + (", and does not end although it was told to" if holder.ending else ""),
            "give each worker process a RINGBACK_STATE_DIR of its own (`ringback worker --processes` does), or end the "
            "other one first",
            USAGE,
        )

    def ending(self) -> None:
        """Tell whoever comes next that this process is about to let go. Does nothing without the lock."""
        self._write("ending")

    def release(self) -> None:
        """Let go; the next one may begin. May be called again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self, state: str) -> None:
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()} {state}\n".encode(), 0)
        except OSError as error:  # a full disk: the lock holds all the same
            log.debug("the lock's holder could not be written: %s", error)


def _locked(file: int) -> bool:
    """Take the lock if nobody has it; whether it is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
        log.warning("the file system of the state directory has no locks (%s): see that nobody shares it", error)
    return True


def _holder(file: int) -> Holder:
    pid, _, state = os.pread(file, 64, 0).decode(errors="replace").strip().partition(" ")
    return Holder(pid, state == "ending")
