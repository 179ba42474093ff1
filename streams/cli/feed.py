"""`ringback feed`: load a file of records into a source's topic, keyed and partitioned as the contract says."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.cli.configuration import current, sources_of
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from schemas.config import Configuration, Source
    from streams.cli.placing import Placer
    from streams.settings import Settings
    from streams.sources.decode import Rejected
    from streams.sources.files import Input, Line

FORMATS = ("auto", "json", "csv")
#: So many bad lines are listed one by one; all of them are counted.
LISTED = 100
#: How often, in records, the clock and the progress bar are looked at.
EVERY = 500


@dataclass
class Tally:
    """What became of the lines of a file."""

    name: str
    sent: int = 0
    bad: Counter[str] = field(default_factory=Counter)

    def skip(self, line: int, rejected: Rejected) -> None:
        """Count a bad line, and list it while there are not too many."""
        self.bad[rejected.reason] += 1
        if self.bad.total() <= LISTED:
            output.say(f"{self.name}:{line} {rejected.reason}: {rejected.detail}")
        elif self.bad.total() == LISTED + 1:
            output.say("more bad lines follow; they are only counted")


def feed(
    file: Annotated[str, typer.Argument(help="JSON Lines or CSV, plain or gzip; - reads standard input.")],
    source: Annotated[str, typer.Option("--source", "-s", help="The source's topic.", metavar="TOPIC")],
    form: Annotated[
        str,
        typer.Option("--format", help="json, csv, or auto: by the file's name.", autocompletion=lambda: list(FORMATS)),
    ] = "auto",
    delimiter: Annotated[str, typer.Option(help="Between a CSV's cells (default: a comma, in .tsv a tab).")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad record.")] = False,
    limit: Annotated[int | None, typer.Option(help="Send at most so many records.", min=0)] = None,
    rate: Annotated[float | None, typer.Option(help="Send at most so many records per second.", min=0.001)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that Kafka may be away.", min=0)] = 30.0,
) -> None:
    """Load a file of installs or events into a source's topic.

    Each record gets its device key as Kafka key, and its partition by Kafka's default partitioner. Records that the
    worker would refuse are skipped and listed with their line; then the exit status is 1.
    """
    from streams.cli.feeding import Feeder
    from streams.cli.placing import Placer
    from streams.sources import files

    csv = _is_csv(file, form)
    separator = _delimiter(file, delimiter)
    opened = files.Input(file)
    settings = start.settings()
    of, configuration = _destination(settings, source, timeout)
    placer = Placer(of, configuration, settings.max_record_bytes)
    lines = files.read(opened, "csv" if csv else "json", of, settings.max_record_bytes, separator)
    tally = Tally(opened.name)
    feeder = Feeder(settings, source, timeout)
    began = time.monotonic()
    try:
        with _progress(opened, source) as advance:
            for line in _sendable(lines, placer, tally, strict, limit):
                feeder.send(*line)
                tally.sent += 1
                if tally.sent % EVERY == 0:
                    advance()
                if rate:
                    feeder.wait_until(began + tally.sent / rate)
    finally:
        opened.close()
        # What was taken before an error or an interruption is in the topic when the command ends, and is told.
        tally.sent = feeder.finish()
        _tell(tally, source, time.monotonic() - began)
    if tally.bad:
        raise typer.Exit(RUNTIME)


def _is_csv(file: str, form: str) -> bool:
    if form not in FORMATS:
        raise Stop(f"--format {form}: expected json, csv or auto", exit_code=USAGE)
    return form == "csv" or (form == "auto" and file.lower().removesuffix(".gz").endswith((".csv", ".tsv")))


def _delimiter(file: str, given: str) -> str:
    named = {"": "\t" if file.lower().removesuffix(".gz").endswith(".tsv") else ",", "tab": "\t", "\\t": "\t"}
    delimiter = named.get(given, given)
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise Stop(f"--delimiter {given!r}: expected one character, or tab", exit_code=USAGE)
    return delimiter


def _destination(settings: Settings, topic: str, timeout: float) -> tuple[Source, Configuration | None]:
    """The source of this topic, and the live configuration. Raises `Stop` when either is not as it must be."""
    import difflib

    from streams import topics

    admin = start.reach(settings, timeout)
    configuration = current(settings, admin, timeout)
    sources = {source.topic: source for source in sources_of(configuration)}
    if topic not in sources:
        near = difflib.get_close_matches(topic, sources, n=1)
        raise Stop(
            f"--source {topic}: no such source in the live configuration"
            + (f"; did you mean {near[0]}?" if near else ""),
            f"sources are {', '.join(sources)}; `ringback apply` adds one",
            USAGE,
        )
    if topic not in topics.look(admin, [topic]):
        raise Stop(
            f"the topic {topic} does not exist", "`ringback topics create` makes every topic that is needed", USAGE
        )
    return sources[topic], configuration


def _sendable(
    lines: Iterator[Line], placer: Placer, tally: Tally, strict: bool, limit: int | None
) -> Iterator[tuple[str, bytes]]:
    """Key and value of each good record, up to `limit`. Counts the bad; if `strict`, the first one raises `Stop`."""
    left = sys.maxsize if limit is None else limit
    now = 0
    for number, value in lines if left else ():
        if number % EVERY == 0 or not now:
            now = time.time_ns() // 1_000_000
        key = placer.key(value, now) if isinstance(value, bytes) else value
        if isinstance(key, str) and isinstance(value, bytes):
            yield key, value
            left -= 1
            if left == 0:
                return
        elif not isinstance(key, str):
            tally.skip(number, key)
            if strict:
                raise Stop(f"stopped at line {number}, since --strict was given", "nothing after this line was sent")


@contextmanager
def _progress(opened: Input, topic: str) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, if that is a terminal; calls of what it gives move it."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(topic, total=opened.size or None)
        yield lambda: bar.update(task, completed=opened.position())


def _tell(tally: Tally, topic: str, seconds: float) -> None:
    bad = tally.bad.total()
    rate = f"{tally.sent / seconds:,.0f}/s" if seconds > 0 else "-"
    records = "record" if tally.sent == 1 else "records"
    print(f"{tally.sent:,} {records} sent to {topic} in {seconds:.1f} s ({rate}), {bad:,} bad ones skipped")
    if bad:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in tally.bad.most_common())
        output.say(f"bad records: {reasons}")
