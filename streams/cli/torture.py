"""`ringback torture`: workers under every kind of failure, on a test cluster, and an account of what came of it."""

from __future__ import annotations

import logging
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.demo.interrupts import EXIT_STATUS, Interrupted, Interrupts
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from streams.torture.ledger import Ledger
    from streams.torture.play import Options, Run
    from streams.torture.schedule import Counts


def torture(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start a broker of its own, on this machine, and torture that too.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="The same number gives the same schedule and records.", min=0)
    ] = None,
    kills: Annotated[int, typer.Option(help="Workers killed with -9; from 36 on at each step twice.", min=0)] = 50,
    zombies: Annotated[int, typer.Option(help="Workers that stand still past their session.", min=0)] = 5,
    wipes: Annotated[int, typer.Option(help="Of the killed, so many lose their state directory.", min=0)] = 10,
    rebalances: Annotated[int, typer.Option(help="Workers added and taken away.", min=0)] = 10,
    broker_restarts: Annotated[int, typer.Option(help="Restarts of the broker.", min=0)] = 3,
    standstills: Annotated[int, typer.Option(help="Stops of all workers, longer than install_grace.", min=0)] = 1,
    workers: Annotated[int, typer.Option(help="How many run.", min=1, max=16)] = 2,
    partitions: Annotated[int, typer.Option(help="Of the input topics.", min=1, max=64)] = 4,
    rate: Annotated[int, typer.Option(help="Most records in a second.", min=1)] = 1_500,
    waiting: Annotated[int, typer.Option(help="Records to keep ahead of the workers.", min=1)] = 8_000,
    deliver: Annotated[
        bool | None,
        typer.Option(
            "--deliver/--no-deliver", help="Send the jobs to a partner on this machine (default: with --embedded)."
        ),
    ] = None,
    restart_broker: Annotated[
        str, typer.Option(metavar="COMMAND", help="Restarts your broker; without it that is left out.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave topics, logs and state directories behind.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="The cluster that the settings name may be tortured: it is a test cluster.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the ledger there, for programs.")
    ] = None,
) -> None:
    """Kill, freeze and rob the workers of a test cluster.

    Then it looks whether anything was lost, or came twice, and prints an account of it.

    Takes some 20 minutes with its defaults. It works in topics, groups and folders of its own, with a random name,
    and removes them at the end; but it keeps the cluster busy, and brokers are restarted when you say how: not for
    production. So it wants --yes for the cluster that the settings name; --embedded needs none. Exit status 1 when
    anything is not as it must be; then topics and logs stay.
    """
    from streams.torture.schedule import Counts

    settings = start.settings().model_copy(update={"partitions": partitions})
    # Brokers go on purpose; the workers' logs have it too.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    counts = Counts(kills, zombies, wipes, rebalances, broker_restarts, standstills, workers=workers)
    _check(counts, partitions)
    if embedded and restart_broker:
        raise Stop("--restart-broker: the broker of --embedded is restarted anyway", "one of the two", USAGE)
    if json_file is not None:
        _check_writable(json_file)
    if not embedded:
        _check_cluster(settings.bootstrap_servers, yes)
    from streams.torture.play import Options

    chosen = random.randrange(1_000_000) if seed is None else seed
    delivers = embedded if deliver is None else deliver
    options = Options(chosen, counts, rate, waiting, embedded, restart_broker, delivers, keep)
    interrupts = Interrupts()
    interrupts.install()
    from streams.torture.play import Run

    raise typer.Exit(_run(Run(options, settings, interrupts, output.say), options, interrupts, json_file))


def _check(counts: Counts, partitions: int) -> None:
    if counts.wipes > counts.kills:
        raise Stop(f"--wipes {counts.wipes}: only {counts.kills} are killed", "at most as many as --kills", USAGE)
    if counts.zombies and counts.workers < 2:
        raise Stop("--zombies: nobody takes over from a single worker", "--workers 2, or --zombies 0", USAGE)
    if partitions <= counts.workers:
        raise Stop(
            f"{partitions} partitions are too few for {counts.workers} workers and one that joins",
            "more --partitions than --workers",
            USAGE,
        )


def _check_cluster(servers: str, yes: bool) -> None:
    output.say(f"the cluster at {servers}")
    if not yes:
        raise Stop(
            f"this keeps the cluster at {servers} busy for minutes: not for production",
            "--yes if it is a test cluster; --embedded for a broker on this machine",
            USAGE,
        )


def _check_writable(file: Path) -> None:
    try:
        there = file.exists()
        file.open("ab").close()
        if not there:
            file.unlink()
    except OSError as error:
        raise Stop(
            f"--json {file}: cannot be written: {error.strerror}", "a file in a folder that you may write to", USAGE
        ) from error


def _run(run: Run, options: Options, interrupts: Interrupts, json_file: Path | None) -> int:
    status, keep = RUNTIME, options.keep
    try:
        output.say(f"torture with --seed {options.seed}")
        run.play()
        status = 0 if run.ledger.passed else RUNTIME
        keep = keep or status != 0
    except Interrupted:
        status = EXIT_STATUS
        output.say("interrupted; ending what runs")
    except BaseException:
        keep = keep or run.started
        raise
    finally:
        with interrupts.closing():
            try:
                _tell(run.ledger, json_file, whole=run.started and status != EXIT_STATUS)
            finally:
                _end(run, keep, embedded=options.embedded)
    return status


def _end(run: Run, keep: bool, *, embedded: bool) -> None:
    """End everything, and say what stays."""
    left = run.end(keep)
    if keep:
        topics = "" if embedded else f"; topics and groups that begin with {run.name} stay"
        output.say(f"everything is ended{topics}")
        output.say(f"the logs and state directories of the run lie in {run.folder}")
    elif left:
        output.say("everything is ended, but could not be removed:\n" + "\n".join(f"  {one}" for one in left))
    else:
        output.say("everything is ended and removed")


def _tell(ledger: Ledger, json_file: Path | None, *, whole: bool) -> None:
    """The table on standard output, and then the file. Raises `Stop`."""
    from streams.torture.ledger import encoded

    if whole:
        _print(ledger)
    if json_file is None:
        return
    try:
        json_file.write_bytes(encoded(ledger))
    except OSError as error:
        raise Stop(f"--json {json_file}: cannot be written: {error.strerror}", "the table says the same") from error


def _print(ledger: Ledger) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title="Ledger", title_justify="left")
    for name, value in ledger.rows():
        table.add_row(name, value)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "PASSED: nothing lost, nothing twice, all states equal" if ledger.passed else "FAILED", soft_wrap=True
    )
