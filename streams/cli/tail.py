"""`ringback tail`: the receipts as they come, or the last ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streams.cli import output, start, written
from streams.cli.output import printable
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from schemas.config import Configuration
    from streams.settings import Settings
    from streams.tail.asked import Asked
    from streams.tail.following import Found

Format = Literal["line", "json"]
#: Somebody pressed Ctrl-C: the shell's own number for it.
INTERRUPTED = 130
COLOURS = {
    "delivered": typer.colors.GREEN,
    "failed": typer.colors.RED,
    "suppressed": typer.colors.YELLOW,
    "expired": typer.colors.YELLOW,
}

Names = list[str]


def tail(
    partner: Annotated[Names | None, typer.Option(help="Only of this partner; as all these, may be repeated.")] = None,
    postback: Annotated[Names | None, typer.Option(help="Only of this postback.")] = None,
    app: Annotated[Names | None, typer.Option(help="Only of this app.")] = None,
    event: Annotated[Names | None, typer.Option(help="Only of this derived event: `payment_ca`.")] = None,
    outcome: Annotated[Names | None, typer.Option(help="delivered, failed, suppressed or expired.")] = None,
    kind: Annotated[Names | None, typer.Option(help="attempt or terminal: each attempt, or each job's end.")] = None,
    status: Annotated[Names | None, typer.Option(help="The answer's status: 404, 5xx, 500-599. Repeatable.")] = None,
    job: Annotated[Names | None, typer.Option(metavar="ID", help="Only of this job.")] = None,
    record: Annotated[Names | None, typer.Option(metavar="ID", help="Only of this input record.")] = None,
    since: Annotated[
        str, typer.Option(metavar="10m|TIME", help="Begin so long ago, or at a time, and not with what comes.")
    ] = "",
    count: Annotated[
        int | None, typer.Option("--lines", "-n", metavar="COUNT", help="The last COUNT, and stop.", min=0)
    ] = None,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--no-follow", "-f", help="Wait for more, or stop at the end. Default: wait, but for -n."
        ),
    ] = None,
    as_: Annotated[Format, typer.Option("--format", help="Lines to read, or each receipt's own JSON.")] = "line",
    ids: Annotated[bool, typer.Option("--ids", help="Lines with the ids of record and job.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Kafka at the start.", min=0)] = 30.0,
) -> None:
    """Follow what becomes of jobs, as it happens.

    One line for each attempt, and one for the end of each job.

    Reads the receipts topic as a member of no group: nothing is changed, and any number may look. Filters of the same
    name add up, different ones must all fit.
    """
    from streams.clock import SystemClock

    begin = written.since(since, SystemClock().now())
    named = {
        "outcomes": _words("--outcome", outcome),
        "kinds": _words("--kind", kind),
        "statuses": written.statuses(status or ()),
        "events": frozenset(event or ()),
        "jobs": frozenset(job or ()),
        "records": frozenset(record or ()),
        "since": begin,
    }
    settings = start.settings()
    try:
        admin = start.reach(settings, timeout)
        named |= _configured(settings, timeout, partner or [], postback or [], app or [])
        from streams.tail.asked import Asked
        from streams.tail.following import Receipts

        asked: Asked = Asked(**named)  # type: ignore[arg-type]
        receipts = Receipts(settings, admin, asked, lambda line: output.say(printable(line)))
        waits = count is None if follow is None else follow
        _write(_found(receipts, count, begin, waits), as_, ids)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read along has seen enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _found(receipts: object, count: int | None, begin: int | None, waits: bool) -> Iterator[Iterable[Found]]:
    from streams.tail.following import Receipts

    assert isinstance(receipts, Receipts)
    if count is not None:
        yield receipts.last(count)
    elif not waits:
        yield receipts.there()
    if waits:
        yield from receipts.follow(from_start=count is None and begin is not None)


def _words(option: str, given: Names | None) -> frozenset[str]:
    from streams.tail.asked import KINDS, OUTCOMES

    known = OUTCOMES if option == "--outcome" else KINDS
    for one in given or ():
        if one not in known:
            raise Stop(f"{option} {one}: expected {' or '.join(known)}", exit_code=USAGE)
    return frozenset(given or ())


def _configured(
    settings: Settings, timeout: float, partner: Names, postback: Names, app: Names
) -> dict[str, frozenset[str]]:
    """The names as receipts have them. What is not configured is said, and looked for all the same."""
    from streams.tail import meant

    if not (partner or postback or app):
        return {}
    live = _live(settings, timeout)
    found = {}
    known = (("partner", partner, meant.partners), ("postback", postback, meant.postbacks), ("app", app, meant.apps))
    for what, given, of in known:
        one = meant.meant(what, given, of(live) if live else {name: name for name in given})
        found[f"{what}s"] = one.names
        for doubt in one.doubts:
            output.say(printable(doubt))
    return found


def _live(settings: Settings, timeout: float) -> Configuration | None:
    """The live configuration, for its names; None when it cannot be had."""
    from streams.config import follow

    try:
        return follow.read_current(settings, max(timeout, 1.0))
    except Stop:
        return None


def _write(found: Iterable[Iterable[Found]], as_: Format, ids: bool) -> None:
    """Write as it comes."""
    write = _json() if as_ == "json" else _lines(ids)
    for some in found:
        wrote = False
        for one in some:
            write(one)
            wrote = True
        if wrote:
            sys.stdout.flush()


def _json() -> Callable[[Found], None]:
    import msgspec

    raw = sys.stdout.buffer

    def write(found: Found) -> None:
        # Whoever else writes there may have put breaks of lines into it.
        value = found.value if b"\n" not in found.value else msgspec.json.format(found.value, indent=-1)
        raw.write(value + b"\n")

    sys.stdout.flush()
    return write


def _lines(ids: bool) -> Callable[[Found], None]:
    from streams.tail.lines import HEADER, Columns, cells

    terminal = sys.stdout.isatty()
    columns = Columns(_paint if terminal else _plain)
    if terminal:
        print(columns.line(HEADER))

    def write(found: Found) -> None:
        row = [printable(cell) for cell in cells(found.receipt, ids)]
        print(columns.line(row, found.receipt.outcome))

    return write


def _paint(text: str, outcome: str) -> str:
    return typer.style(text, fg=COLOURS.get(outcome))


def _plain(text: str, _outcome: str) -> str:
    return text
