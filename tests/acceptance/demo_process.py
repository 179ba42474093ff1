"""The demo as its user starts it: a process in a terminal or without one, in a folder of somebody else's."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.processes import ROOT, as_a_terminal_starts
from tests.support.waiting import eventually

#: What every process of a demo inherits, so that it can be found wherever it hangs.
MARK = "DEMO_UNDER_TEST"
NOWHERE = "http://127.0.0.1:9"


class Demo:
    """A running `ringback demo`. Its temporary folders are made in `temporary`."""

    def __init__(self, folder: Path, *arguments: str, columns: int | None = None, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        # What lies here, and what the shell says, is the user's and not the demo's.
        (folder / "ringback.yaml").write_text("bootstrap_servers: nowhere.example:1\nno_such_setting: 1\n")
        (folder / "schemas").mkdir()
        (folder / "schemas" / "__init__.py").write_text("raise ImportError('not ours')\n")
        self._text = b""
        self._output, child = pty.openpty() if columns else os.pipe()
        if columns:
            fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with as_a_terminal_starts():
            self.process = self._started(folder, arguments, child, environment)
        os.close(child)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _started(
        self, folder: Path, arguments: tuple[str, ...], child: int, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "streams.cli.main", "demo", *arguments],
            cwd=folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("RINGBACK_", "COLUMNS"))},
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(self.temporary),
                "TERM": "xterm",
                "RINGBACK_TOPIC_PREFIX": "not-ours.",
                "RINGBACK_KAFKA_OPTIONS": '{"security.protocol": "SSL"}',
                MARK: self.mark,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )

    def _read(self) -> None:
        try:
            while piece := os.read(self._output, 65_536):
                self._text += piece
        except OSError:
            pass  # the other end of a terminal is closed
        os.close(self._output)

    @property
    def text(self) -> str:
        """What it has written so far, errors too."""
        return self._text.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, words: str, within: float = 60.0) -> None:
        """Until it has written these words."""

        def there() -> bool:
            return words in self.text or self.process.poll() is not None

        eventually(there, within=within, what=words)
        assert words in self.text, self.text

    def wait_for_file(self, pattern: str, within: float = 60.0) -> Path:
        """Until there is such a file in its temporary folder."""
        return eventually(lambda: next(self.temporary.glob(pattern), None), within=within, every=0.01, what=pattern)

    def end(self, within: float = 150.0) -> int:
        """Its exit status, when it has ended by itself; everything it wrote is in `text` then."""
        status = self.process.wait(within)
        self._reading.join(10)
        return status

    def signal_group(self, number: signal.Signals = signal.SIGINT) -> None:
        """As Ctrl-C in a terminal does: to every process in the foreground."""
        os.killpg(self.process.pid, number)

    def processes(self) -> list[psutil.Process]:
        """What runs of it, the demo itself included."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def process_of(self, *words: str) -> psutil.Process:
        """The process (not its guard) that has all these words in its command line."""
        return next(
            process
            for process in self.processes()
            if set(words) <= set(process.cmdline()) and not any(part.endswith("guard.py") for part in process.cmdline())
        )

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def assert_nothing_is_left(self, within: float = 0.0) -> None:
        """No process, no file."""
        eventually(lambda: self.processes() == [], within=within)
        assert list(self.temporary.iterdir()) == []


@contextmanager
def running(folder: Path, *arguments: str, columns: int | None = None, **environment: str) -> Iterator[Demo]:
    """A demo that is gone at the end of the block, with everything that it started."""
    demo = Demo(folder, *arguments, columns=columns, **environment)
    try:
        yield demo
    finally:
        for process in demo.processes():
            process.kill()
        demo.process.wait(30)
