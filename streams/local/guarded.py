"""A process that ends with whoever started it, whatever happens (see `guard`), and that is ended through its guard,
never by a pid.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from streams.local import guard

LOG_TAIL_LINES = 25


class GuardedProcess:
    """Starts `command` at once. Its output is appended to the file `log`. It is in a session of its own, so Ctrl-C does
    not reach it.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log_path = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._guard = subprocess.Popen(
                guard.command_line(list(command)),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(os.environ if environment is None else environment),
                start_new_session=True,
            )

    @property
    def guard_pid(self) -> int:
        """The process id of its guard; the command is the guard's only child."""
        return self._guard.pid

    @property
    def running(self) -> bool:
        return self._guard.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; as a shell says it: 137 is SIGKILL."""
        return self._guard.poll()

    def end(self, deadline: float) -> int:
        """SIGTERM, then SIGKILL when it has not ended within `deadline` seconds. Blocks until it is gone; returns its
        exit code.
        """
        self._order(b"t")
        try:
            self._guard.wait(deadline)
        except subprocess.TimeoutExpired:
            self._order(b"k")
        return self.wait()

    def kill(self) -> None:
        """SIGKILL. Blocks until it is gone."""
        self._order(b"k")
        self.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._order(b"t")

    def pause(self) -> None:
        """SIGSTOP: it stands still, as a process does that was swapped out or lost its machine for a while."""
        self._order(b"s")

    def resume(self) -> None:
        """SIGCONT."""
        self._order(b"c")

    def wait(self, deadline: float | None = None) -> int:
        """Its exit code, when it has ended; raises subprocess.TimeoutExpired after `deadline` seconds."""
        code = self._guard.wait(deadline)
        self._orders.close()
        return code

    def output(self) -> str:
        """What it has written since it started."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self) -> str:
        """The last lines of that."""
        return "\n".join(self.output().splitlines()[-LOG_TAIL_LINES:])

    @property
    def _orders(self) -> BinaryIO:
        assert self._guard.stdin is not None
        return self._guard.stdin  # type: ignore[return-value]

    def _order(self, order: bytes) -> None:
        """Tell the guard; nothing happens when it is gone already."""
        if not self.running or self._orders.closed:
            return
        try:
            self._orders.write(order)
            self._orders.flush()
        except BrokenPipeError:
            self._guard.wait()
