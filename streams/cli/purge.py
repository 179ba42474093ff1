"""`ringback purge`: ending the jobs that wait for a partner or postback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streams.cli import start
from streams.cli.letters import Timeout, Yes, sure
from streams.cli.output import printable
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from schemas.config import Configuration


def purge(
    name: Annotated[str, typer.Argument(metavar="PARTNER|POSTBACK", help="The id of a partner or of a postback.")],
    kind: Annotated[
        Literal["partner", "postback"] | None,
        typer.Option("--kind", help="Which of the two, where both have such an id, or neither has it any more."),
    ] = None,
    yes: Yes = False,
    timeout: Timeout = 30.0,
) -> None:
    """End every job that waits for a partner or postback now.

    They are not sent, and end as `suppressed`, each when it would be looked at next. Jobs that are decided from now on
    are not meant. To put dead letters away: `ringback dlq purge`.
    """
    from schemas.control import PURGES, Control, Target, encode
    from streams.clock import SystemClock
    from streams.config.control import write_records

    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    from streams.cli.configuration import current

    meant = kind or _kind(name, current(loaded, admin, timeout))
    sure(f"end every job that waits for the {meant} {printable(name)}? They are not sent.", yes)
    now = SystemClock().now()
    record = encode(Target(PURGES[meant], name), Control(purge_before=now, since=now))
    write_records(loaded, [record], timeout)
    print(f"purged: what waits for the {meant} {printable(name)} ends as suppressed when a sender looks at it next")


def _kind(name: str, live: Configuration | None) -> Literal["partner", "postback"]:
    """Whether it is a partner or a postback; raises `Stop` when that cannot be told."""
    from streams.config.problems import did_you_mean

    partners = [one.id for one in live.partners] if live else []
    postbacks = [one.id for one in live.postbacks] if live else []
    if name in partners and name in postbacks:
        raise Stop(f"{printable(name)} is a partner and a postback", "say --kind partner or --kind postback", USAGE)
    if name in partners:
        return "partner"
    if name in postbacks:
        return "postback"
    guess = did_you_mean(name, [*partners, *postbacks])
    raise Stop(
        f"there is no partner and no postback {printable(name)}" + (f": {guess}" if guess else ""),
        "the jobs of one that is gone from the configuration end as `suppressed` anyway; --kind says which it was",
        USAGE,
    )
