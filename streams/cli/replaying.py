"""`ringback dlq replay` and `ringback dlq purge`: sending dead letters again, and putting them away."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import letters, output, start
from streams.cli.explain import progress
from streams.cli.letters import All, Timeout, Yes
from streams.cli.output import printable
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config import Configuration
    from streams.letters.acting import Acting, Progress, Seen
    from streams.letters.asked import Asked
    from streams.letters.portions import Refusals
    from streams.settings import Settings

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def replay(
    asked: Asked,
    everything: All = False,
    rate: Annotated[str, typer.Option(help="Write at most so many a time, such as 50/s.", metavar="RATE")] = "",
    render: Annotated[
        bool,
        typer.Option("--render/--as-decided", help="The request by the current template, or the one that was decided."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Jobs named by id that have no open letter too: delivered, expired …")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    timeout: Timeout = 30.0,
) -> None:
    """Send dead letters again.

    Jobs go to their partner once more, under the same id and marked as replays; input records into their topic. Each
    letter is replayed once: the command may be broken off and run again. The exit status is 1 when some could not be.
    """
    from streams.clock import SystemClock
    from streams.letters.pace import Pace
    from streams.letters.replaying import Replaying

    letters.choose(asked, everything)
    if again and not asked.job_ids:
        raise Stop("--again is for jobs that are named by id", "name them behind `replay`", USAGE)
    pace = Pace(letters.rate(rate))
    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    live = _configured(loaded, admin, timeout)
    with progress() as tell:
        act = Replaying(loaded, admin, asked, SystemClock(), _whom(), tell)
        act.prepare(live, again, render, tell)
    count = act.seen.groups.total + len(act.jobs)
    _preview(act.seen, act.jobs, "replayed", dry_run or not count)
    if not count:
        letters.doubt(loaded, admin, asked, timeout)
    for line in _paused(loaded, act):
        output.say(line)
    refusals = act.seen.refusals
    if count and not dry_run:
        if count > letters.UNASKED or act.jobs:
            letters.sure(f"replay {count:,}?", yes)
        _do(act, lambda tell: act.do(pace, timeout, tell), "replayed", count)
    _tell_refusals(refusals, "replayed")
    if refusals.total:
        raise typer.Exit(RUNTIME)


def purge(
    asked: Asked,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    timeout: Timeout = 30.0,
) -> None:
    """Put dead letters away: they are listed and replayed no more.

    Jobs that still wait are another matter: `ringback purge`.
    """
    from streams.clock import SystemClock
    from streams.letters.acting import Purging
    from streams.letters.pace import Pace

    letters.choose(asked, everything)
    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    with progress() as tell:
        act = Purging(loaded, admin, asked, SystemClock(), _whom(), tell)
        act.prepare()
    count = act.seen.groups.total
    _preview(act.seen, {}, "purged", dry_run or not count)
    if not count:
        letters.doubt(loaded, admin, asked, timeout)
    if count and not dry_run:
        letters.sure(f"purge {count:,}? They are listed and replayed no more.", yes)
        _do(act, lambda tell: act.do(Pace(), timeout, tell), "purged", count)
    _tell_refusals(act.seen.refusals, "purged")
    if act.seen.refusals.total:
        raise typer.Exit(RUNTIME)


def _configured(loaded: Settings, admin: Any, timeout: float) -> Configuration:
    """The live configuration; raises `Stop` when there is none."""
    from streams.cli.configuration import current

    live = current(loaded, admin, timeout)
    if live is None:
        raise Stop(
            f"there is no configuration under the prefix {loaded.topic_prefix}: nobody would take what is replayed",
            "`ringback apply DIR` writes one",
        )
    return live


def _whom() -> str:
    """Who does it, for the notes."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def _preview(seen: Seen, jobs: Mapping[str, object], done: str, only: bool) -> None:
    """Say what is about to be done. `only`: it is not done."""
    from streams.letters import shown

    for line in shown.preview(seen.groups, len(jobs)):
        output.say(f"{'would be' if only else 'to be'} {done}: {printable(line)}")
    if seen.before:
        output.say(f"{seen.before:,} of them were replayed or purged before")
    if only and not seen.groups.total and not jobs:
        output.say(f"nothing to be {done}")


def _paused(loaded: Settings, act: Acting) -> Iterator[str]:
    """Partners that are paused: what goes to them waits."""
    from streams.config.control import read_controls

    partners = {group.whose for group in act.seen.groups.found if group.kind == "job"}
    for target, control in sorted(read_controls(loaded).items()) if partners else ():
        if control.paused and target.kind == "partner" and target.id in partners:
            yield f"{printable(target.id)} is paused: its jobs wait until it is resumed"


def _do(act: Acting, step: Callable[[Progress], None], done: str, count: int) -> None:
    """Do it with a bar, and say how far it came."""
    bar = letters.Bar(done, count)
    try:
        step(bar)
    except KeyboardInterrupt:
        bar.end()
        output.say(f"broken off, {act.count:,} of {count:,} {done}; the same command does the rest")
        raise typer.Exit(letters.INTERRUPTED) from None
    except Stop:
        bar.end()
        output.say(f"{act.count:,} of {count:,} {done}")
        raise
    bar.end()
    print(f"{done} {act.count:,}")


def _tell_refusals(refusals: Refusals, done: str) -> None:
    from streams.letters import shown

    for key, count in refusals.counts.most_common():
        output.say(printable(shown.refusal(count, refusals.examples[key], done)))
