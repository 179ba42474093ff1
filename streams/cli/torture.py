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
    from streams.settings import Settings
    from streams.torture.delivery.play import DeliveryRun
    from streams.torture.ledger import Ledger
    from streams.torture.play import Run
    from streams.torture.schedule import Counts

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)

Embedded = Annotated[
    bool, typer.Option("--embedded", help="Start a broker of its own, on this machine, and torture that too.")
]
Seed = Annotated[int | None, typer.Option(help="The same number gives the same schedule and records.", min=0)]
RestartBroker = Annotated[
    str, typer.Option(metavar="COMMAND", help="Restarts your broker; without it that is left out.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Leave topics, logs and state directories behind.")]
Yes = Annotated[
    bool, typer.Option("--yes", help="The cluster that the settings name may be tortured: it is a test cluster.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the ledger there, for programs.")]


@app.callback()
def torture(
    context: typer.Context,
    embedded: Embedded = False,
    seed: Seed = None,
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
    restart_broker: RestartBroker = "",
    keep: Keep = False,
    yes: Yes = False,
    json_file: JsonFile = None,
) -> None:
    """Kill, freeze and rob workers of a test cluster.

    `ringback torture delivery` does it to senders.

    Then it looks whether anything was lost, or came twice, and prints an account of it.

    Takes some 20 minutes with its defaults. It works in topics, groups and folders of its own, with a random name,
    and removes them at the end; but it keeps the cluster busy, and brokers are restarted when you say how: not for
    production. So it wants --yes for the cluster that the settings name; --embedded needs none. Exit status 1 when
    anything is not as it must be; then topics and logs stay.
    """
    if context.invoked_subcommand is not None:
        _check_no_options(context)
        return
    from streams.torture.schedule import Counts

    settings = start.settings().model_copy(update={"partitions": partitions})
    counts = Counts(kills, zombies, wipes, rebalances, broker_restarts, standstills, workers=workers)
    _check(counts, partitions)
    _check_place(settings, json_file, restart_broker, embedded=embedded, yes=yes)
    from streams.torture.play import Options, Run

    chosen = random.randrange(1_000_000) if seed is None else seed
    delivers = embedded if deliver is None else deliver
    options = Options(chosen, counts, rate, waiting, embedded, restart_broker, delivers, keep)
    interrupts = _interrupts()
    raise typer.Exit(
        _run(Run(options, settings, interrupts, output.say), chosen, interrupts, json_file, keep, embedded)
    )


@app.command("delivery")
def delivery(
    embedded: Embedded = False,
    seed: Seed = None,
    jobs: Annotated[int, typer.Option(help="How many are written.", min=1)] = 200_000,
    kills: Annotated[int, typer.Option(help="Senders killed with -9; from 10 on at each step once.", min=0)] = 10,
    rebalances: Annotated[int, typer.Option(help="Senders added and taken away.", min=0)] = 5,
    broker_restarts: Annotated[int, typer.Option(help="Restarts of the broker.", min=0)] = 2,
    senders: Annotated[int, typer.Option(help="How many run.", min=1, max=16)] = 2,
    partitions: Annotated[int, typer.Option(help="Of the delivery topic.", min=1, max=64)] = 4,
    restart_broker: RestartBroker = "",
    keep: Keep = False,
    yes: Yes = False,
    json_file: JsonFile = None,
) -> None:
    """Kill senders while twenty partners, four of them bad ones, are sent many jobs.

    Then it looks whether every job has ended once, and how much was sent twice, and prints an account of it.

    Takes some ten minutes with its defaults. What is said of `ringback torture` holds here too: names of its own, and
    --yes for the cluster that the settings name. Exit status 1 when anything is not as it must be.
    """
    settings = start.settings().model_copy(update={"partitions": partitions})
    if partitions <= senders:
        raise _too_few(partitions, senders, "senders")
    _check_place(settings, json_file, restart_broker, embedded=embedded, yes=yes)
    from streams.torture.delivery.play import DeliveryRun, Options
    from streams.torture.delivery.schedule import Counts

    chosen = random.randrange(1_000_000) if seed is None else seed
    counts = Counts(kills, rebalances, broker_restarts, senders)
    options = Options(chosen, counts, jobs, embedded, restart_broker, keep)
    interrupts = _interrupts()
    run = DeliveryRun(options, settings, interrupts, output.say)
    raise typer.Exit(_run(run, chosen, interrupts, json_file, keep, embedded))


def _check_no_options(context: typer.Context) -> None:
    """Those in front of the subcommand would be taken for its own, and are not."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        raise Stop(
            f"options in front of `{context.invoked_subcommand}` are not its own",
            f"write them behind it: `ringback torture {context.invoked_subcommand} --{given[0].replace('_', '-')} …`",
            USAGE,
        )


def _interrupts() -> Interrupts:
    # Brokers go on purpose; the processes' logs have it too.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    interrupts = Interrupts()
    interrupts.install()
    return interrupts


def _check_place(settings: Settings, json_file: Path | None, restart_broker: str, *, embedded: bool, yes: bool) -> None:
    if embedded and restart_broker:
        raise Stop("--restart-broker: the broker of --embedded is restarted anyway", "one of the two", USAGE)
    if json_file is not None:
        _check_writable(json_file)
    if not embedded:
        _check_cluster(settings.bootstrap_servers, yes)


def _check(counts: Counts, partitions: int) -> None:
    if counts.wipes > counts.kills:
        raise Stop(f"--wipes {counts.wipes}: only {counts.kills} are killed", "at most as many as --kills", USAGE)
    if counts.zombies and counts.workers < 2:
        raise Stop("--zombies: nobody takes over from a single worker", "--workers 2, or --zombies 0", USAGE)
    if partitions <= counts.workers:
        raise _too_few(partitions, counts.workers, "workers")


def _too_few(partitions: int, number: int, who: str) -> Stop:
    return Stop(
        f"{partitions} partitions are too few for {number} {who} and one that joins",
        f"more --partitions than --{who}",
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


def _run(
    run: Run | DeliveryRun, seed: int, interrupts: Interrupts, json_file: Path | None, keep: bool, embedded: bool
) -> int:
    status = RUNTIME
    try:
        output.say(f"torture with --seed {seed}")
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
                _end(run, keep, embedded=embedded)
    return status


def _end(run: Run | DeliveryRun, keep: bool, *, embedded: bool) -> None:
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
    if whole:
        _print(ledger)
    if json_file is None:
        return
    try:
        json_file.write_bytes(ledger.encoded())
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
    console.print(ledger.said, soft_wrap=True)
