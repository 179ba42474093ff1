"""`ringback events`: every derived event that a postback can fire on."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from streams.attribution.events import Row

PLATFORMS = ("android", "ios", "windows", "web")
#: Columns of the whole listing: what every terminal has.
WIDTH = 80
HEADER = ("EVENT", "SCOPE", "GOES BY", "ON", "FIRES")
INDENT = "  "
#: The heading of rows that are a family of their own.
OTHERS = "what befalls a device or user"
SCOPES = {"device or user": "either"}
#: Derived events that go by neither the first nor the current attribution: a word for it, and what holds.
GOES_BY = {
    "session": (
        "latest",
        "at `all` current; otherwise the latest attribution to the postback's partner, also when another partner has "
        "brought the user back since",
    )
}
LEGEND = (
    "SCOPE: whose it is, the device's in the app or the user's in the project; either: `scope: user` makes it the "
    "user's. GOES BY: the attribution that says whose postbacks fire. ON: mobile is android, ios and windows. "
    "What each means: docs/events.md, or --json."
)


class Listed(NamedTuple):
    """A row of the table of derived events, as the listing and the page of events tell it."""

    name: str
    family: str
    scope: str
    fires: str
    attribution: str
    platforms: str
    meaning: str
    source: str


def listed(row: Row) -> Listed:
    """A row in words."""
    from streams.attribution import events

    everywhere = row.platforms == events.EVERYWHERE
    return Listed(
        name=row.name,
        family=row.family,
        scope=" or ".join(row.scopes),
        # What befalls a device or user is no record: "every time" would not say when.
        fires=row.fires.value if row.family in {*events.RESERVED, "event"} else row.doc,
        attribution=goes_by(row),
        platforms="all" if everywhere else "mobile" if row.platforms == events.MOBILE else _sorted(row),
        meaning=row.doc,
        source=row.source,
    )


def goes_by(row: Row) -> str:
    """The attribution that says whose postbacks fire, in a word: `first`, `current`, or one of `GOES_BY`."""
    return GOES_BY[row.name][0] if row.name in GOES_BY else row.goes_by


def _sorted(row: Row) -> str:
    return ", ".join(sorted(row.platforms))


def events(
    platform: Annotated[
        str | None,
        typer.Option(
            help="Only what an app of this platform may use: android, ios, windows or web.",
            metavar="PLATFORM",
            autocompletion=lambda: list(PLATFORMS),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects, for programs.")] = False,
) -> None:
    """List the derived events, which a postback can fire on.

    Of each: how often it fires, and whose event it is.
    """
    from streams.attribution.events import TABLE

    if platform is not None and platform not in PLATFORMS:
        raise Stop(f"--platform {platform}: expected one of {', '.join(PLATFORMS)}", exit_code=USAGE)
    rows = [row for row in TABLE if platform is None or platform in row.platforms]
    print(_json(rows) if as_json else "\n".join(lines([listed(row) for row in rows])))


def _json(rows: Sequence[Row]) -> str:
    import msgspec

    found = [
        {
            "name": row.name,
            "family": row.family,
            "scopes": row.scopes,
            "fires": listed(row).fires,
            "attribution": goes_by(row),
            "platforms": sorted(row.platforms),
            "meaning": row.doc,
            "source": row.source,
        }
        for row in rows
    ]
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def lines(rows: Sequence[Listed], width: int = WIDTH) -> Iterator[str]:
    """A row for each, under its family if that has several, and below where the rules are from."""
    sources = [source for source, _ in Counter(row.source for row in rows).most_common()]
    cells = [
        (
            f"{INDENT}{row.name}{_mark(sources.index(row.source))}",
            SCOPES.get(row.scope, row.scope),
            row.attribution + ("*" if row.name in GOES_BY else ""),
            row.platforms,
        )
        for row in rows
    ]
    widths = [max(len(cell) for cell in column) for column in zip(HEADER[:-1], *cells, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    yield _line(HEADER[:-1], widths) + HEADER[-1]
    family = ""
    for row, written in zip(rows, cells, strict=True):
        heading = row.family if sum(one.family == row.family for one in rows) > 1 else OTHERS
        if heading != family:
            yield heading
        family = heading
        first, *rest = textwrap.wrap(row.fires, max(20, width - indent))
        yield _line(written, widths) + first
        yield from (" " * indent + line for line in rest)
    yield ""
    yield from textwrap.wrap(LEGEND, width)
    for row in rows:
        if row.name in GOES_BY:
            yield from textwrap.wrap(f"* {row.attribution}: {GOES_BY[row.name][1]}", width)
    for number, source in enumerate(sources):
        yield from textwrap.wrap(f"{_mark(number).strip() or 'Rules:'} {source}", width)


def _mark(number: int) -> str:
    """Most rules have one source; what has another is marked."""
    return f" [{number}]" if number else ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
