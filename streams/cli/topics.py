"""`ringback topics create`, `ringback topics list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.cli.configuration import current, sources_of
from streams.errors import RUNTIME, Stop

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from streams.settings import Settings
    from streams.topics import Found, Plan

app = typer.Typer(
    help="The topics that the configuration needs.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

Timeout = Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)]


@app.command("create")
def create(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be created.")] = False,
    timeout: Timeout = 30.0,
) -> None:
    """Create every topic that is missing. Refuses, and changes nothing, when one that exists does not fit."""
    from streams import topics

    settings = start.settings()
    admin = start.reach(settings, timeout)
    plan, _ = _plan(settings, admin, timeout)
    if plan.problems:
        raise Stop(
            "topics do not fit; nothing was created\n" + "\n".join(f"{p.topic}: {p.message}" for p in plan.problems),
            "\n".join(f"{problem.topic}: {problem.remedy}" for problem in plan.problems),
            RUNTIME,
        )
    if not dry_run:
        topics.create(admin, plan.create, settings.replication)
    for topic in plan.create:
        print(f"{'would create' if dry_run else 'created'} {topic.name} ({_partitions(topic.partitions)})")
    if not plan.create:
        print(f"all {len(plan.wanted)} topics are there")


@app.command("list")
def list_topics(timeout: Timeout = 30.0) -> None:
    """List the topics that are needed, and whether they fit."""
    settings = start.settings()
    plan, found = _plan(settings, start.reach(settings, timeout), timeout)
    problems = {problem.topic: problem for problem in plan.problems}
    rows = []
    for topic in plan.wanted:
        there = str(found[topic.name].partitions) if topic.name in found else "-"
        state = "missing" if topic.name not in found else "ok"
        if topic.name in problems:
            state = problems[topic.name].message
        rows.append([topic.name, "ours" if topic.ours else "input", str(topic.partitions), there, state])
    print(output.table(["TOPIC", "KIND", "EXPECTED", "FOUND", "STATE"], rows))
    if plan.create or plan.problems:
        raise typer.Exit(RUNTIME)


def _plan(settings: Settings, admin: AdminClient, timeout: float) -> tuple[Plan, dict[str, Found]]:
    """What there is to do for the live configuration, or for the default sources before the first apply."""
    from streams import topics

    sources = sources_of(current(settings, admin, timeout))
    found = topics.look(admin, topics.names(sources, settings.topic_prefix, settings.worker_id))
    return topics.plan(sources, settings.topic_prefix, found, settings.partitions, settings.worker_id), found


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"
