"""The command `ringback`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from streams import __version__
from streams.cli import (
    configuration,
    demo,
    dlq,
    doctor,
    events,
    explain,
    feed,
    output,
    pauses,
    processes,
    purge,
    render,
    report,
    send_test,
    settings,
    start,
    state,
    tail,
    topics,
    torture,
)
from streams.errors import RUNTIME, Stop

app = typer.Typer(
    name="ringback",
    help="Installs and events in Kafka become postbacks at partners.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("worker")(processes.worker)
app.command("sender")(processes.sender)
app.command("apply")(configuration.apply)
app.command("plan")(configuration.plan)
app.command("export")(configuration.export)
app.command("feed")(feed.feed)
app.command("render")(render.render)
app.command("send-test")(send_test.send_test)
app.command("explain")(explain.explain)
app.command("state")(state.state)
app.command("tail")(tail.tail)
app.command("pause")(pauses.pause)
app.command("resume")(pauses.resume)
app.command("settings")(settings.settings)
app.command("events")(events.events)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)
app.command("purge")(purge.purge)
app.add_typer(dlq.app, name="dlq")
app.add_typer(topics.app, name="topics")
app.add_typer(torture.app, name="torture")


def _version(asked: bool) -> None:
    if asked:
        print(f"ringback {__version__}")
        raise typer.Exit


@app.callback()
def options(
    file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="The settings file (RINGBACK_CONFIG_FILE; default: ringback.yaml), before the command; behind "
            "`render` it means YAML files of postbacks.",
        ),
    ] = None,
    bootstrap_servers: Annotated[
        str | None, typer.Option("--bootstrap-servers", "-b", help="Kafka brokers (RINGBACK_BOOTSTRAP_SERVERS).")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log everything.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that every command has; they win over the environment and the settings file."""
    start.check_names()
    start.environment(file, bootstrap_servers, verbose)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status. Expected failures become a line and a remedy, only a bug shows a traceback."""
    given: dict[str, Any] = {} if arguments is None else {"args": list(arguments)}
    try:
        app(prog_name="ringback", **given)
    except Stop as stop:
        output.complain(stop)
        return stop.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else RUNTIME if ended.code else 0
    return 0


def main() -> None:
    """The entry point."""
    sys.exit(run())


if __name__ == "__main__":
    main()
