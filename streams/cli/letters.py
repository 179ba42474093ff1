"""What the commands of dead letters share: their filters, how far they have come, and whether the user is sure."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streams.cli import output, written
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from streams.letters.asked import Asked
    from streams.letters.found import Address
    from streams.settings import Settings

Kinds = Literal["job", "input"]
Format = Literal["table", "json"]

KindOption = Annotated[Kinds | None, typer.Option("--kind", help="Only jobs, or only input records.")]
Reason = Annotated[
    str | None, typer.Option(help="Only this reason: attempts_used_up, invalid … (docs/outcomes.md).", metavar="REASON")
]
Partner = Annotated[str | None, typer.Option(help="Only jobs of this partner.", metavar="ID")]
Postback = Annotated[str | None, typer.Option(help="Only jobs of this postback.", metavar="ID")]
App = Annotated[str | None, typer.Option(help="Only this app, where it is known.", metavar="ID")]
Event = Annotated[str | None, typer.Option(help="Only jobs of this derived event.", metavar="EVENT")]
Status = Annotated[
    list[str] | None,
    typer.Option(
        help="Only jobs whose last answer had such a status: 404, 5xx, 500-599. Repeatable.", metavar="STATUS"
    ),
]
Since = Annotated[str, typer.Option(help="Only what died since then: 2h, 1d, or a time.", metavar="2h|TIME")]
From = Annotated[str, typer.Option("--from", help="The same, with a time.", metavar="TIME")]
To = Annotated[str, typer.Option("--to", help="Only what died before then.", metavar="TIME")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
All = Annotated[bool, typer.Option("--all", help="Every letter; needed when nothing else says which.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID|PARTITION:OFFSET]...", help="Single ones: by job id, or by address (`ls --each`)."),
]

#: As a shell says that a command was ended by Ctrl-C.
INTERRUPTED = 130
#: So many letters are acted on without asking.
UNASKED = 100
TELL_SECONDS = 0.5
BAR = 20


def asked(
    names: Names = None,
    kind: KindOption = None,
    reason: Reason = None,
    partner: Partner = None,
    postback: Postback = None,
    app: App = None,
    event: Event = None,
    status: Status = None,
    since: Since = "",
    first: From = "",
    last: To = "",
) -> Asked:
    """The letters that the options mean; raises `Stop`."""
    from schemas.dead_letter import REASONS
    from streams.clock import SystemClock
    from streams.letters import asked as asking

    if since and first:
        raise Stop("--since and --from exclude each other", exit_code=USAGE)
    if reason is not None and reason not in REASONS:
        raise Stop(f"--reason {output.printable(reason)}: expected one of {', '.join(REASONS)}", exit_code=USAGE)
    addresses, job_ids = singles(names or ())
    begin = written.since(since, SystemClock().now()) if since else written.moment("--from", first)
    end = written.moment("--to", last)
    if begin is not None and end is not None and begin >= end:
        raise Stop("nothing lies between the two times: --to is not after the other", exit_code=USAGE)
    return asking.Asked(
        kind=kind,
        reason=reason,
        partner=partner,
        postback=postback,
        app=app,
        event=event,
        statuses=written.statuses(status or ()),
        since=begin,
        until=end,
        addresses=frozenset(addresses),
        job_ids=frozenset(job_ids),
    )


def singles(names: Sequence[str]) -> tuple[list[Address], list[str]]:
    """What is named one by one: addresses, and job ids."""
    from streams.letters import found

    parsed = [(name, found.address(name)) for name in dict.fromkeys(names)]
    return [at for _, at in parsed if at is not None], [name for name, at in parsed if at is None]


def rate(text: str) -> float | None:
    """A rate in letters a second; None when none is written. Raises `Stop`."""
    from streams.config.kinds import Rate

    if not text:
        return None
    try:
        found: float = Rate().read(text)
    except ValueError:
        raise Stop(f"--rate {output.printable(text)}: write 50/s or 1000/m", exit_code=USAGE) from None
    return found


def choose(found: Asked, everything: bool) -> None:
    """Raises `Stop` when nothing says which letters are meant: all of them must be meant expressly."""
    if found.is_everything and not everything:
        raise Stop(
            "which dead letters? Give ids, addresses or a filter, or --all",
            "`ringback dlq ls` shows what there is",
            USAGE,
        )


def doubt(loaded: Settings, admin: AdminClient, asked: Asked, timeout: float) -> None:
    """Say which names in a filter the configuration does not have."""
    from streams.cli.configuration import current
    from streams.tail import meant

    given = {"partner": asked.partner, "postback": asked.postback, "app": asked.app}
    live = current(loaded, admin, timeout) if any(given.values()) else None
    if live is None:
        return
    known = {"partner": meant.partners(live), "postback": meant.postbacks(live), "app": meant.apps(live)}
    for what, name in given.items():
        if name is None:
            continue
        for said in meant.meant(what, [name], known[what]).doubts:
            output.say(output.printable(said))
        if known[what].get(name, name) != name:
            output.say(f"{output.printable(name)} is an alias: letters have the partner's id, {known[what][name]}")


def sure(question: str, yes: bool) -> None:
    """Ask, unless the user has said yes. Raises `Stop` when it is a no, or there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Stop(f"{question} Nothing was done: there is no terminal to ask on", "say --yes", USAGE)
    try:
        agreed = typer.confirm(f"ringback: {question}", err=True)
    except typer.Abort:
        print(file=sys.stderr)
        raise Stop("nothing was done", exit_code=INTERRUPTED) from None
    if not agreed:
        raise Stop("nothing was done", exit_code=USAGE)


class Bar:
    """How far a replay or purge has come, on a terminal's standard error; elsewhere nothing."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._began = self._told = time.monotonic()
        self._shown = False

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self._told < TELL_SECONDS and count < self._total):
            return
        self._told, self._shown = now, True
        passed = now - self._began
        pace = count / passed if passed else 0.0
        left = f", {(self._total - count) / pace:,.0f} s left" if pace else ""
        full = BAR * count // self._total if self._total else BAR
        bar = f"[{'#' * full}{'-' * (BAR - full)}]"
        text = f"{self._what} {count:,} of {self._total:,} {bar} {pace:,.0f}/s{left}"
        print(f"\r\x1b[Kringback: {text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
