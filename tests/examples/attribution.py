"""The page `docs/attribution.md` and its pictures: what stands between its marks is computed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.examples.drawing import svg
from tests.examples.histories import EXAMPLES, Example
from tests.examples.timelines import NAMES, Row, Timeline, computed

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "attribution.md"
PICTURES = DOCS / "timelines"

MARKED = re.compile(r"(<!-- timeline ([\w-]+) -->\n)(.*?)(<!-- /timeline -->)", re.DOTALL)


def timelines() -> dict[str, Timeline]:
    """Every example with what comes of it, by its name."""
    return {example.name: computed(example) for example in EXAMPLES}


def text(page: str, found: dict[str, Timeline]) -> str:
    """The page with what stands between its marks computed anew. Raises KeyError for a mark without an example."""
    return MARKED.sub(lambda mark: mark[1] + "".join(f"{line}\n" for line in _shown(found[mark[2]])) + mark[4], page)


def picture(timeline: Timeline) -> str:
    """The example's picture."""
    return svg(timeline, in_words(timeline))


def in_words(timeline: Timeline) -> str:
    """What the picture shows, for those who do not see it."""
    records = ", ".join(
        f"{number} {record.name}" + (f" by {NAMES[record.by]}" if record.by else "")
        for number, record in enumerate(timeline.example.records, start=1)
    )
    bands = ", ".join(f"#{band.number} {band.source}" for bands in timeline.bands.values() for band in bands)
    return f"Timeline with the records {records}; attributions {bands}"


def _shown(timeline: Timeline) -> Iterator[str]:
    yield from (f"![{in_words(timeline)}](timelines/{timeline.example.name}.svg)", "")
    yield from (_asked(timeline.example), "")
    yield "| | when | what happens | what becomes of it | postbacks |"
    yield "|---|---|---|---|---|"
    yield from (f"| {row.number} | {row.when} | {row.what} | {row.became} | {_sent(row)} |" for row in timeline.rows)
    yield ""


def _asked(example: Example) -> str:
    said = f"Postbacks of Acme and Globex on {_codes(example.about)}"
    said += f", and on {_codes(example.of_user)} with `scope: user`" if example.of_user else ""
    return said + (f"; of the lake on {_codes(example.at_all)}." if example.at_all else ".")


def _sent(row: Row) -> str:
    return "; ".join(f"{NAMES[partner]}: {', '.join(events)}" for partner, events in row.sent) or "none"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
