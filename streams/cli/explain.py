"""`ringback explain`: the story of one record in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.cli.asking import WorkerUrl, asking
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from streams.explain.found import Material
    from streams.explain.keeping import Site
    from streams.explain.scanning import Scanner
    from streams.explain.told import Story

COLOURS = {"yes": typer.colors.GREEN, "no": typer.colors.RED, "doubt": typer.colors.YELLOW, "head": None}

Timeout = Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="One object, for programs.")]


def explain(
    device: Annotated[
        str, typer.Option("--device", "-d", metavar="KEY", help="Its device key, <app_id>|<identifier>.")
    ],
    record_id: Annotated[
        str,
        typer.Argument(
            metavar="RECORD_ID",
            help="The record's id; of one without, <topic>-<partition>-<offset>. Without it the device's records are "
            "listed.",
        ),
    ] = "",
    since: Annotated[
        str, typer.Option(help="Read only what was appended to the input topics since then, as 2d or 12h.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="List the postbacks too that cannot fire on it.")] = False,
    as_json: AsJson = False,
    timeout: Timeout = 30.0,
    worker: WorkerUrl = "",
) -> None:
    """Tell the story of one record, or list a device's records.

    What it was to its device, and why each postback was sent or not.

    Reads the partition of the device in the input topics, from the beginning unless --since says otherwise, and puts
    what it finds through the rules once more; what was recorded of it (jobs, receipts, decisions, dead letters) counts
    before that. The state of the device is asked of a worker that has a look-up port, or read from its changelog.
    Nothing is written or sent.
    """
    from streams.clock import SystemClock
    from streams.explain import keeping

    device_key = key_of(device, "--device", "<app_id>|<identifier>")
    before = window(since)
    loaded = start.settings()
    now = SystemClock().now()
    admin = start.reach(loaded, timeout)
    with progress() as tell:
        site = keeping.site(loaded, admin, tell)
        site.look = told = asking(loaded, worker, timeout)
        look = _story if record_id else _list
        text = look(site, record_id, device_key, None if before is None else now - before, now, everything, as_json)
    print(text)
    if not as_json:
        measured(site.scanner)
        if told is not None:
            told.tell()


def _story(
    site: Site, record_id: str, device_key: str, since: int | None, now: int, everything: bool, as_json: bool
) -> str:
    from streams.explain import looking
    from streams.explain.story import stories
    from streams.postbacks.index import Index

    found = looking.material(site, record_id, device_key, since, now)
    told = stories(found, Index(found.configuration))
    return _json(found, told) if as_json else "\n".join(_lines(found, told, everything))


def _list(
    site: Site, _record_id: str, device_key: str, since: int | None, now: int, _everything: bool, as_json: bool
) -> str:
    import msgspec

    from streams.explain import looking, shown

    listing, doubts, looked = looking.records(site, device_key, since, now)
    if as_json:
        report = {
            "device_key": listing.device_key,
            "records": listing.records,
            "older": listing.older,
            "doubts": doubts,
            "looked_through": [one._asdict() for one in looked],
        }
        return msgspec.json.format(msgspec.json.encode(report)).decode()
    brush = paint if sys.stdout.isatty() else shown.plain
    lines = [*shown.listing_lines(listing, brush)]
    lines += [line for doubt in doubts for line in ("", *shown.wrapped(f"! {doubt}", 0))]
    return "\n".join(lines)


def key_of(written: str, option: str, form: str) -> str:
    """A device or user key; raises `Stop` when it has no separator."""
    if not all(written.partition("|")[::2]):
        raise Stop(
            f"{option} {written!r}: expected {form}",
            "quote it, since | means something to the shell, and write both parts",
            USAGE,
        )
    return written


def window(written: str) -> int | None:
    """A duration in milliseconds; None when none is written."""
    from streams.settings import parse_duration

    if not written:
        return None
    try:
        return parse_duration(written)
    except ValueError as error:
        raise Stop(f"--since: {error}", exit_code=USAGE) from None


def paint(text: str, kind: str) -> str:
    """In colour, where the output is a terminal."""
    return typer.style(text, fg=COLOURS[kind], bold=kind == "head")


class _Progress:
    """A line on standard error that says how far the reading has come, if that is a terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._told = False

    def __call__(self, records: int, total: int) -> None:
        if self._shows:
            self._told = True
            print(f"\rringback: read {records:,} of about {total:,} records", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._told:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def progress() -> _Progress:
    """Tells how far a reading has come while it lasts."""
    return _Progress()


def measured(scanner: Scanner) -> None:
    """Say how much was read, and how fast."""
    rate = f" ({scanner.records / scanner.seconds:,.0f}/s)" if scanner.seconds else ""
    output.say(f"read {scanner.records:,} records in {scanner.seconds:.1f} s{rate}")


def _lines(found: Material, told: list[Story], everything: bool) -> Iterator[str]:
    from streams.explain import shown

    brush = paint if sys.stdout.isatty() else shown.plain
    for number, story in enumerate(told):
        if len(told) > 1:
            yield from ([""] if number else [])
            yield f"{number + 1} of {len(told)}:"
        yield from shown.story_lines(story, brush, everything=everything)
    for doubt in shown.doubts(found):
        yield ""
        yield from shown.wrapped(f"! {doubt}", 0)


def _json(found: Material, told: list[Story]) -> str:
    import msgspec

    from streams.explain import shown

    looked = [one._asdict() for one in found.looked]
    report = {"records": told, "doubts": list(shown.doubts(found)), "looked_through": looked}
    return msgspec.json.format(msgspec.json.encode(report)).decode()
