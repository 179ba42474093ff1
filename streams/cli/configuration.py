"""`ringback apply`, `ringback plan`, `ringback export`: configuration as code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from schemas.config import Configuration, Source
    from streams.config.apply import Plan
    from streams.replay.history import History
    from streams.settings import Settings

#: Exit status of `plan --exit-code` when there is something to change: no other command ends with it.
WOULD_CHANGE = 3

Files = Annotated[Path, typer.Argument(metavar="DIR", help="A directory of YAML files, or one file.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)]


def current(settings: Settings, admin: AdminClient, timeout: float) -> Configuration | None:
    """The live configuration; None before the first apply."""
    from streams import kafka, topics
    from streams.config import follow

    # A reader of a topic that is not there learns of it late.
    if not topics.look(admin, [kafka.Topics(settings.topic_prefix).config]):
        return None
    return follow.read_current(settings, max(timeout, 1.0))


def sources_of(configuration: Configuration | None) -> tuple[Source, ...]:
    """The sources of a configuration; before the first apply those that one without a `sources` section has."""
    from streams.config import build, models

    return configuration.sources if configuration else build.configuration(models.DEFAULT_SOURCES, (), (), ()).sources


def apply(
    directory: Files,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the files do not have.")] = False,
    timeout: Timeout = 30.0,
) -> None:
    """Make the live configuration say what the files say."""
    from streams.config import apply as room

    settings = start.settings()
    # Mistakes in the files are told also when Kafka is away.
    room.load(settings, directory)
    start.reach(settings, timeout)
    applied = room.apply(settings, directory, prune)
    for change in (*applied.added, *applied.changed, *applied.removed):
        print(change)
    print(f"generation {applied.generation} is in force" + ("" if applied.written else " already; nothing to change"))


def plan(
    directory: Files,
    history: Annotated[
        str,
        typer.Option(
            help="So much of the past (such as 3d) is read through the rules once more, with the live configuration "
            "and with this one, to show which jobs would change. Reads the input topics from their beginning; sends "
            "nothing.",
            metavar="DURATION",
            show_default=False,
        ),
    ] = "",
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"End with status {WOULD_CHANGE} when apply would change anything.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object, for programs.")] = False,
    timeout: Timeout = 30.0,
) -> None:
    """Show what apply would change, and change nothing."""
    from streams.config import apply as room

    settings = start.settings()
    length = _length(history) if history else 0
    room.load(settings, directory)
    start.reach(settings, timeout)
    planned = room.plan(settings, directory)
    found = _compare(settings, planned, length) if length and planned.difference else None
    if as_json:
        print(_json(planned, found))
    else:
        _show(planned, found, history)
    if exit_code and planned.difference:
        raise typer.Exit(WOULD_CHANGE)


def _length(history: str) -> int:
    from streams.settings import parse_duration

    try:
        length = parse_duration(history)
    except ValueError:
        length = 0
    if length <= 0:
        raise Stop(f"--history: {history!r} is not a duration", "write one such as 12h or 3d", USAGE)
    return length


def _compare(settings: Settings, planned: Plan, length: int) -> History:
    from streams.cli.planned import Progress
    from streams.clock import SystemClock
    from streams.replay import history

    progress = Progress()
    try:
        since = SystemClock().now() - length
        return history.compare(settings, planned.current, planned.new, since, progress)
    finally:
        progress.end()


def _show(planned: Plan, found: History | None, asked: str) -> None:
    from streams.cli import planned as words

    changes = planned.difference
    if planned.current is None:
        output.say("nothing is live yet")
    print("\n".join(changes.words()) if changes else "nothing to change")
    if changes.of("removed"):
        output.say("apply removes nothing unless it is told to: `ringback apply --prune`")
    if found is not None:
        print()
        print("\n".join(words.history(found, asked, planned.current, planned.new)), flush=True)
        for line in words.aside(found, planned.new):
            output.say(line)


def _json(planned: Plan, found: History | None) -> str:
    import msgspec

    from streams.cli.planned import plain

    report = {
        "generation": planned.current.generation if planned.current else None,
        "changes": planned.difference.plain(),
        "history": plain(found) if found is not None else None,
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the files.")],
    timeout: Timeout = 30.0,
) -> None:
    """Write the live configuration as files that `apply` reads."""
    from streams.config import export as room

    settings = start.settings()
    start.reach(settings, timeout)
    for path in room.export(settings, directory):
        output.say(f"wrote {path}")
