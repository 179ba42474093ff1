"""The long-running processes: `ringback worker`, `ringback sender`."""

from __future__ import annotations

import typer

from streams.cli import start


def worker() -> None:
    """Read installs and events, keep attribution, decide postbacks."""
    settings = start.settings("worker")
    from streams.app import run_worker

    raise typer.Exit(run_worker(settings))


def sender() -> None:
    """Send the postbacks that are due to the partners."""
    settings = start.settings("sender")
    from streams.delivery.app import run_sender

    raise typer.Exit(run_sender(settings))
