"""`ringback apply`, `ringback plan`, `ringback export`: configuration as code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from schemas.config import Configuration, Source
    from streams.settings import Settings

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


def plan(directory: Files, timeout: Timeout = 30.0) -> None:
    """Show what apply would change, and change nothing."""
    from streams.config import apply as room

    settings = start.settings()
    room.load(settings, directory)
    start.reach(settings, timeout)
    changes = room.plan(settings, directory)
    print("\n".join(changes.words()) if changes else "nothing to change")
    if changes.of("removed"):
        output.say("apply removes nothing unless it is told to: `ringback apply --prune`")


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
