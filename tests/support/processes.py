"""Our own commands as real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from streams.local.guarded import GuardedProcess
from streams.settings import PREFIX, Settings
from streams.settings import environment as settings_of_children

ROOT = Path(__file__).parents[2]
END_SECONDS = 20.0

#: `start("worker", …)`: a running `ringback worker …`.
Start = Callable[..., GuardedProcess]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment that gives a process these settings, and none of the shell's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = settings_of_children(settings)
    return clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | ours | more


@contextmanager
def as_a_terminal_starts() -> Iterator[None]:
    """What is started meanwhile heeds SIGHUP and SIGINT, also where the tests themselves were told not to:
    so a shell does what it starts in the background. From the main thread.
    """
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def starting(settings: Settings, folder: Path) -> Iterator[Start]:
    """Gives a function that starts commands with `settings`, and ends at its end whatever it started. Logs go to
    `folder`.
    """
    started: list[GuardedProcess] = []
    numbers = count(1)

    def start(
        *arguments: str, with_settings: Settings | None = None, module: str = "streams.cli.main", **more: str
    ) -> GuardedProcess:
        log = folder / f"{arguments[0] if arguments else module}-{next(numbers)}.log"
        command = [sys.executable, "-m", module, *arguments]
        process = GuardedProcess(command, log, environment(with_settings or settings, **more))
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
