"""`ringback demo`: the main job end to end, with nothing installed but Python."""

from __future__ import annotations

import io
import os
import random
import sys
import time
from typing import Annotated

import typer

from streams.cli import output
from streams.demo.interrupts import EXIT_STATUS, Interrupted, Interrupts
from streams.errors import RUNTIME, USAGE, Stop

#: Everything is held in memory to be compared at the end.
MOST_RECORDS = 100_000


def demo(
    seconds: Annotated[int, typer.Option(help="How long the simulator sends.", min=1, max=3_600)] = 30,
    rate: Annotated[int, typer.Option(help="Records it sends in a second.", min=1, max=2_000)] = 50,
    seed: Annotated[
        int | None, typer.Option(help="The same number gives the same records (default: another each time).", min=0)
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end, to look around.")] = False,
) -> None:
    """Show the main job, end to end on this machine.

    A Kafka broker, worker, sender, a partner and simulated traffic; then what came out beside what must come out.

    Exit status 1 when the two differ. Everything runs on this machine, on free ports, in a temporary folder that is
    removed at the end; settings of the shell and of the current folder are left aside.
    """
    # What has been spent on coming to here counts too.
    began = time.monotonic() - time.process_time()
    if seconds * rate > MOST_RECORDS:
        raise Stop(
            f"--seconds {seconds} --rate {rate} would be {seconds * rate:,} records, at most {MOST_RECORDS:,} are "
            "compared",
            "choose fewer seconds or a lower rate",
            USAGE,
        )
    interrupts = Interrupts()
    interrupts.install()
    _whatever_the_encoding()
    status = EXIT_STATUS
    try:
        _only_our_settings()
        from streams.demo.options import Options
        from streams.demo.run import run

        chosen = random.randrange(1_000_000) if seed is None else seed
        status = run(Options(seconds, rate, chosen, keep, began), interrupts)
    except Interrupted:
        interrupts.over()
        output.say("the demo was interrupted; everything it started has ended and its files are removed")
    except BrokenPipeError:
        # Whoever read along has gone. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = RUNTIME
    finally:
        interrupts.over()
    raise typer.Exit(status)


def _whatever_the_encoding() -> None:
    """Where a sign of the table cannot be written, something else stands in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _only_our_settings() -> None:
    """Take the user's settings out of the environment: the demo is not to touch the user's Kafka."""
    from streams.settings import PREFIX

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
