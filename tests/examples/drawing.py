"""A timeline as a picture: a lane for each device, its periods as bands, its records as numbered points in the order of
their own times (the distances are written, not drawn to scale), and above them who gets a postback.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

from schemas.config import DAY
from tests.examples.histories import Record
from tests.examples.timelines import NAMES, Band, Row, Timeline, length, when

WIDTH = 700
MARGIN = 14
BAND = 36
LINE = 15
#: How much room a letter of a band's label needs.
LETTER = 8.8

STYLE = """
    text { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; text-anchor: middle; }
    .paper { fill: #ffffff; stroke: #d0d7de; }
    .word { font-size: 13px; fill: #1f2328; }
    .band { font-size: 14px; font-weight: 600; fill: #1f2328; }
    .time { font-size: 12px; fill: #57606a; }
    .axis { stroke: #8c959f; stroke-width: 1.5; }
    .gap { font-size: 12px; fill: #57606a; stroke: #ffffff; stroke-width: 9; paint-order: stroke; }
    .point { fill: #1f2328; }
    .quiet { fill: #8c959f; }
    .number { font-size: 12px; font-weight: 600; fill: #ffffff; }
    .acme { fill: #ddf4ff; stroke: #0969da; }
    .globex { fill: #fff1e5; stroke: #bc4c00; }
    .nobody { fill: #eaeef2; stroke: #8c959f; }
    .assumed { stroke-dasharray: 5 4; }
    .to-acme { font-size: 13px; font-weight: 600; fill: #0969da; }
    .to-globex { font-size: 13px; font-weight: 600; fill: #bc4c00; }
    .to-lake { font-size: 13px; font-weight: 600; fill: #57606a; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; stroke: #30363d; }
      .word { fill: #f0f6fc; }
      .band { fill: #f0f6fc; }
      .time { fill: #b1bac4; }
      .axis { stroke: #7d8590; }
      .gap { fill: #b1bac4; stroke: #0d1117; }
      .point { fill: #f0f6fc; }
      .quiet { fill: #7d8590; }
      .number { fill: #0d1117; }
      .acme { fill: #10294a; stroke: #58a6ff; }
      .globex { fill: #3d2005; stroke: #f0883e; }
      .nobody { fill: #21262d; stroke: #7d8590; }
      .to-acme { fill: #58a6ff; }
      .to-globex { fill: #f0883e; }
      .to-lake { fill: #b1bac4; }
    }
"""


class Point(NamedTuple):
    """A record in its lane: its number, where it stands, what it got sent (partner and how many), whether it counts."""

    number: int
    x: float
    record: Record
    sent: list[tuple[str, int]]
    counts: bool


def svg(timeline: Timeline, title: str) -> str:
    """The picture. `title` says in words what it shows."""
    points, top, lanes = _points(timeline), MARGIN, []
    same_day = all(point.record.at < DAY for point in points)
    for key, bands in timeline.bands.items():
        ours = [point for point in points if key == f"{point.record.app}|{point.record.device}"]
        name = key.partition("|")[2] if len(timeline.bands) > 1 else None
        lane = list(_lane(ours, bands, top, name, same_day))
        lanes += lane
        top = _bottom(ours, top, name, same_day)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" role="img" '
        f'aria-labelledby="title">\n  <title id="title">{escape(title)}</title>\n  <style>{STYLE}  </style>\n'
    )
    paper = f'  <rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{top - 1}" rx="8"/>\n'
    return head + paper + "".join(f"  {line}\n" for line in lanes) + "</svg>\n"


def _points(timeline: Timeline) -> list[Point]:
    """The records from left to right."""
    numbered = sorted(enumerate(timeline.example.records, start=1), key=lambda one: (one[1].at, one[0]))
    step = (WIDTH - 2 * MARGIN) / len(numbered)
    return [
        Point(number, round(MARGIN + step * (place + 0.5), 1), record, *_outcome(timeline.rows, number))
        for place, (number, record) in enumerate(numbered)
    ]


def _outcome(rows: list[Row], number: int) -> tuple[list[tuple[str, int]], bool]:
    ours = [row for row in rows if row.number == number]
    sent = [(partner, len(events)) for row in ours for partner, events in row.sent]
    return sent, ours[-1].counts


def _above(points: list[Point]) -> int:
    return max((len(point.sent) for point in points), default=0) * LINE + 8


def _bottom(points: list[Point], top: int, name: str | None, same_day: bool) -> int:
    lines = max(
        when(point.record.at, same_day).count(",") + (point.record.click is not None) + bool(point.record.by)
        for point in points
    )
    return top + (18 if name else 0) + _above(points) + BAND + 76 + lines * LINE


def _lane(points: list[Point], bands: list[Band], top: int, name: str | None, same_day: bool) -> Iterator[str]:
    if name:
        yield f'<text class="band" x="{MARGIN}" y="{top + 12}" style="text-anchor: start">device {escape(name)}</text>'
        top += 18
    band_top = top + _above(points)
    axis = band_top + BAND + 24
    starts = [*(_x(points, band) for band in bands), WIDTH - MARGIN]
    for band, left, right in zip(bands, starts[:-1], starts[1:], strict=True):
        yield from _band(band, left, right, band_top)
    yield f'<line class="axis" x1="{points[0].x}" y1="{axis}" x2="{points[-1].x}" y2="{axis}"/>'
    for before, after in pairwise(points):
        gap = length(after.record.at - before.record.at)
        yield f'<text class="gap" x="{(before.x + after.x) / 2:.1f}" y="{axis + 4}">{gap}</text>'
    for point in points:
        yield from _point(point, band_top, axis, same_day)


def _x(points: list[Point], band: Band) -> float:
    """Where a period begins: a bit before the record that opened it."""
    return next(point.x for point in points if point.record.at == band.start) - 26


def _band(band: Band, left: float, right: float, top: int) -> Iterator[str]:
    kind = {"Acme": "acme", "Globex": "globex"}.get(band.source, "nobody")
    assumed = " assumed" if band.source.startswith("assumed") else ""
    yield (
        f'<rect class="{kind}{assumed}" x="{left + 1:.1f}" y="{top}" width="{right - left - 2:.1f}" height="{BAND}" '
        'rx="6" stroke-width="1.5"/>'
    )
    label = f"#{band.number} {band.source}" + (f" ({band.before} until {band.until})" if band.before else "")
    middle = (left + right) / 2
    if len(label) * LETTER <= right - left:
        yield f'<text class="band" x="{middle:.1f}" y="{top + 23}">{escape(label)}</text>'
        return
    for line, word in enumerate(label.split(" ", 1)):
        yield f'<text class="band" x="{middle:.1f}" y="{top + 16 + line * 15}">{escape(word)}</text>'


def _point(point: Point, band_top: int, axis: int, same_day: bool) -> Iterator[str]:
    record, x = point.record, point.x
    for line, (partner, count) in enumerate(reversed(point.sent)):
        said = f"↑ {NAMES[partner]}" + (f" ×{count}" if count > 1 else "")
        yield f'<text class="to-{partner}" x="{x}" y="{band_top - 7 - line * LINE}">{said}</text>'
    yield f'<circle class="{"point" if point.counts else "quiet"}" cx="{x}" cy="{axis}" r="11"/>'
    yield f'<text class="number" x="{x}" y="{axis + 4}">{point.number}</text>'
    yield f'<text class="word" x="{x}" y="{axis + 27}">{escape(record.name)}</text>'
    below = axis + 42
    if record.by:
        yield f'<text class="to-{record.by}" x="{x}" y="{below}">by {NAMES[record.by]}</text>'
        below += LINE
    if record.click is not None:
        yield f'<text class="time" x="{x}" y="{below}">{length(record.at - record.click)} after the click</text>'
        below += LINE
    for line, word in enumerate(when(record.at, same_day).split(", ")):
        yield f'<text class="time" x="{x}" y="{below + line * LINE}">{word}</text>'
