"""One child as its parent sees it, over all its lives."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from streams import logs
from streams.processes.restarts import Exit

log = logs.get(__name__)

#: Beyond its grace a child may need so long (seconds) to end. More than it gives itself.
CLOSING_S = 6.0
#: So many exits are remembered.
REMEMBERED = 32
#: The status, as a shell says it, of what could not be started.
NOT_STARTED = 126


class Child:
    """Not running at first."""

    def __init__(self, number: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.number = number
        self.history: deque[Exit] = deque(maxlen=REMEMBERED)
        #: Which of its lives this is, and where its probes are (0: not known yet).
        self.life = self.port = 0
        #: When it was last seen well, and last answered at all, or started (monotonic seconds).
        self.well_at = self.answered_at = 0.0
        #: How it ended when it was told to; 0 until then, and when it did not run.
        self.ended_with = 0
        self._ending = False
        self._command, self._environment = command, environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def end(self) -> None:
        """Tell it to end; also one that is being started just now."""
        self._ending = True
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it does not run."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def run(self, told: Callable[[int], None]) -> None:
        """One life, from the start to the end, which is in `history` then. `told` is given the port of its probes."""
        started = self.well_at = self.answered_at = time.monotonic()
        self.life += 1
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=theirs.fileno(), env=self._environment, start_new_session=True
            )
        except OSError as error:
            log.error(f"process {self.number} could not be started: {error.strerror}")
            self.history.append(Exit(NOT_STARTED, 0.0))
            ours.close()
            return
        finally:
            theirs.close()
        if self._ending:
            self.end()
        listening = asyncio.create_task(self._listen(ours, told))
        try:
            status = await self._process.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self.port = 0
            ours.close()
        self.history.append(Exit(status, time.monotonic() - started))
        if self._ending:
            self.ended_with = status

    async def _listen(self, link: socket.socket, told: Callable[[int], None]) -> None:
        """Its ports, a line each. The link itself is what ends it with us: it must stay open as long as it lives."""
        loop, said = asyncio.get_running_loop(), b""
        while got := await loop.sock_recv(link, 64):
            *lines, said = (said + got).split(b"\n")
            for line in lines:
                self.port = int(line)
                told(self.port)
