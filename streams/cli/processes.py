"""The long-running processes: `ringback worker`, `ringback sender`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import start

if TYPE_CHECKING:
    from streams.processes.shares import KindName
    from streams.settings import Settings

Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=0,
        max=64,
        help="How many processes, each with its own state directory and port, under one that restarts what dies; "
        "0: as many as there are cores (RINGBACK_WORKER_PROCESSES, RINGBACK_SENDER_PROCESSES).",
    ),
]
#: Which child of a parent this process is; only the parent says it.
Number = Annotated[int, typer.Option("--number", hidden=True, min=0)]


def worker(processes: Processes = None, number: Number = 0) -> None:
    """Read installs and events, keep attribution, decide postbacks."""
    settings = start.settings("worker")

    def work() -> int:
        from streams.app import run_worker

        return run_worker(settings)

    raise typer.Exit(_run("worker", settings, processes, number, work))


def sender(processes: Processes = None, number: Number = 0) -> None:
    """Send the postbacks that are due to the partners."""
    settings = start.settings("sender")

    def work() -> int:
        from streams.delivery.app import run_sender

        return run_sender(settings)

    raise typer.Exit(_run("sender", settings, processes, number, work))


def _run(kind: KindName, settings: Settings, processes: int | None, number: int, work: Callable[[], int]) -> int:
    """This process as the only one, as the parent of several, or as one of these; its exit status. Raises `Stop`."""
    from streams.processes import child, shares
    from streams.processes.cores import cores

    if number:
        return child.run(number, settings.grace / 1000, work)
    count = int(getattr(settings, shares.KINDS[kind].processes)) if processes is None else processes
    count = count or cores()
    if count == 1:
        return work()
    from streams.processes import parent

    return parent.run(kind, settings, count)
