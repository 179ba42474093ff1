"""`ringback report`: what was counted, by day, app, partner, campaign, event and postback; and whether it agrees."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from schemas.config import DAY
from streams.cli import output, start
from streams.cli.output import printable
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.report import UntoldMark
    from streams.reports.checking import Checked
    from streams.reports.lines import Asked
    from streams.settings import Settings

Format = Literal["table", "json", "csv"]
DEFAULT_DAYS = 7
#: Further back there are no days to count.
MOST_DAYS = 36_500
#: The exit status of a check that has found no difference, but could not compare everything.
NOT_COMPARED = 3
DEFAULT_BY = "app,partner,event"


class Days(NamedTuple):
    """From the first day to the last one, both included; None: no limit."""

    first: date | None = None
    last: date | None = None

    @property
    def since(self) -> int | None:
        """When the first one begins, in milliseconds."""
        return None if self.first is None else (self.first - date(1970, 1, 1)).days * DAY

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """Both as the rows have them."""
        return _named(self.first), _named(self.last)

    def __str__(self) -> str:
        first, last = self.bounds
        return f"from {first or 'the beginning'} to {last or 'today'}"


def _named(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def report(
    app: Annotated[str | None, typer.Option(help="Only this app.")] = None,
    partner: Annotated[
        str | None, typer.Option(help="Only this partner: its id or alias, a stranger's name, or `organic`.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="Only this derived event: `payment_ca`.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only this campaign: its id or name.")] = None,
    days: Annotated[int | None, typer.Option(help="The last so many days, today included. Default: 7.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="From this day (UTC).", metavar="YYYY-MM-DD")] = None,
    last: Annotated[str | None, typer.Option("--to", help="To this day, included.", metavar="YYYY-MM-DD")] = None,
    by: Annotated[
        str, typer.Option(help="What makes a line: any of day,app,partner,campaign,event,postback.", metavar="LIST")
    ] = DEFAULT_BY,
    as_: Annotated[Format, typer.Option("--format", help="How to write it.")] = "table",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compute whether the counts agree; exit 1 when not, 3 when some are untold. Of all days unless told.",
        ),
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)] = 30.0,
) -> None:
    """Count derived events and what became of their jobs.

    Jobs are decided, delivered, waiting, failed, refused.
    """
    from streams.reports.lines import Asked

    asked = Asked(_dimensions(by), app, partner, event, campaign)
    span = _days(days, first, last, check)
    if check and (asked != Asked() or as_ != "table"):
        raise Stop("--check looks at everything of the days: it takes no filter, --by or --format", exit_code=USAGE)
    settings = start.settings()
    start.reach(settings, timeout)
    if check:
        _check(settings, span)
    else:
        _show(settings, asked, span, as_)


def _dimensions(by: str) -> tuple[str, ...]:
    from streams.reports.lines import DIMENSIONS

    given = [one.strip() for one in by.split(",")]
    for one in given:
        if one not in DIMENSIONS:
            raise Stop(f"--by {one}: expected any of {', '.join(DIMENSIONS)}", exit_code=USAGE)
    return tuple(name for name in DIMENSIONS if name in given)


def _days(days: int | None, first: str | None, last: str | None, check: bool) -> Days:
    if days is not None and (first or last):
        raise Stop("--days and --from or --to exclude each other", exit_code=USAGE)
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Stop(f"--days {days}: expected 1 to {MOST_DAYS:,}", exit_code=USAGE)
    if first or last:
        span = Days(_date("--from", first), _date("--to", last))
        if span.first and span.last and span.first > span.last:
            raise Stop(f"--from {span.first} lies behind --to {span.last}", exit_code=USAGE)
        return span
    if days is None and check:
        return Days()
    from streams.clock import SystemClock

    today = datetime.fromtimestamp(SystemClock().now() / 1000, UTC).date()
    return Days(today - timedelta(days=(days or DEFAULT_DAYS) - 1))


def _date(option: str, written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Stop(f"{option} {written}: expected a day as 2026-01-02", exit_code=USAGE) from None


def _show(settings: Settings, asked: Asked, span: Days, as_: Format) -> None:
    from streams.reports import reading, written
    from streams.reports.known import Known
    from streams.reports.lines import lines
    from streams.reports.mistaken import mistaken
    from streams.reports.totals import totals

    counted = reading.counted(settings, span.since)
    summed = totals(counted.rows, *span.bounds)
    known = Known(reading.configurations(settings))
    found = lines(summed, known, asked)
    if not found and (wrong := mistaken(asked, totals(reading.counted(settings, patience=0).rows), known)):
        raise Stop(printable(wrong), "looked for in the configurations and in all that was ever counted", USAGE)
    if as_ == "json":
        print(written.as_json(found, asked))
    elif as_ == "csv":
        print(written.as_csv(found, asked), end="")
    elif found:
        header, cells = written.columns(found, asked)
        print(output.table(header, [[printable(cell) for cell in row] for row in cells]))
    for odd in summed.odd:
        output.say(f"left out: {printable(odd)}")
    if not found:
        days = sorted(row.day for row in counted.rows)
        seen = f"; there are counts from {printable(days[0])} to {printable(days[-1])}" if days else ""
        filtered = any((asked.app, asked.partner, asked.event, asked.campaign))
        output.say(f"nothing {'of that ' if filtered else ''}was counted {span}{seen}")
    if counted.behind:
        output.say(_untold(counted.behind))


def _untold(behind: Sequence[UntoldMark]) -> str:
    """Whose counts are behind, and since when."""
    since = datetime.fromtimestamp(min(mark.since for mark in behind) / 1000, UTC).isoformat(" ", "seconds")
    many = "1 partition is" if len(behind) == 1 else f"{len(behind):,} partitions are"
    whose = ", ".join(sorted({mark.writer or "-" for mark in behind}))
    return (
        f"the counts of {many} behind: since {printable(since)} no worker ({printable(whose)}) has told them; it does "
        "when it runs and gets on"
    )


def _check(settings: Settings, span: Days) -> None:
    from streams.reports.checking import checked

    found = checked(settings, span.since, *span.bounds)
    if found.verdict.unknown:
        listed = ", ".join(map(str, found.verdict.unknown))
        output.say(f"generations that are not kept any more, not compared with their postbacks: {listed}")
    for difference in found.verdict.differences:
        print(printable(difference))
    if found.verdict.differences:
        raise typer.Exit(RUNTIME)
    if found.behind:
        output.say(f"how jobs ended could not be compared with what was decided: {_untold(found.behind)}")
        raise typer.Exit(NOT_COMPARED)
    print(_held(found))


def _held(found: Checked) -> str:
    """The identity in numbers, on one line."""
    from collections import Counter

    from schemas.report import DECIDED, OUTCOMES
    from streams.reports.totals import waiting

    events = sum(counts.total() for counts in found.totals.fired.values())
    counts: Counter[str] = sum(found.totals.jobs.values(), Counter())
    ended = " + ".join(f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES)
    left = f"{waiting(counts):,} waiting"
    if found.not_counted:
        left += f" (not compared with the delivery topics: {found.not_counted})"
    return (
        f"all counts agree: {events:,} derived events, {counts[DECIDED]:,} decided = {ended} + {left}; "
        f"{found.verdict.compared:,} days of postbacks compared"
    )
