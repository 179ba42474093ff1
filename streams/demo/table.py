"""The table at the end: what was observed beside what was expected, a row for each postback. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.demo.counts import COLUMNS, Counts

#: Between columns, as wide as there is room for.
GAPS = ("  ", " ")
INDENT = "  "
TOTAL = "all"
NONE = "·"
LEGEND = f"observed=expected, or observed≠expected; {NONE}: none"


def table(expected: Counts, observed: Counts, width: int) -> str:
    """The whole table, at most `width` columns wide: one row for each postback, or a block where a row would not
    fit.
    """
    rows = list(_rows(expected, observed))
    for gap in GAPS:
        wide = _wide(rows, gap)
        if max(map(len, wide)) <= width:
            return "\n".join(wide)
    return "\n".join(_narrow(rows, width))


def _rows(expected: Counts, observed: Counts) -> Iterator[tuple[str, list[str]]]:
    """A name and the cells of its columns."""
    for postback_id in sorted(expected.postbacks.keys() | observed.postbacks.keys()):
        pairs = ((observed.count(postback_id, one.name), expected.count(postback_id, one.name)) for one in COLUMNS)
        yield postback_id, [cell(*pair) for pair in pairs]
    yield TOTAL, [cell(observed.total(one.name), expected.total(one.name)) for one in COLUMNS]


def cell(seen: int, wanted: int) -> str:
    """Two numbers that should be one."""
    if seen == wanted == 0:
        return NONE
    return f"{seen}={wanted}" if seen == wanted else f"{seen}≠{wanted}"


def _wide(rows: Sequence[tuple[str, list[str]]], gap: str) -> list[str]:
    names = [one.name for one in COLUMNS]
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[at]) for cells in (names, *(cells for _, cells in rows))) for at in range(len(names))]
    lines = []
    for name, cells in (("", names), *rows):
        columns = (one.rjust(width) for one, width in zip(cells, widths, strict=True))
        lines.append(gap.join([name.ljust(first), *columns]).rstrip())
    return lines


def _narrow(rows: Sequence[tuple[str, list[str]]], width: int) -> list[str]:
    lines = []
    for name, cells in rows:
        lines.append(name)
        words = [f"{one.name} {text}" for one, text in zip(COLUMNS, cells, strict=True) if text != NONE]
        lines += _filled(words or ["nothing"], width)
    return lines


def _filled(words: Sequence[str], width: int) -> list[str]:
    """Words in lines, none of them torn apart."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(INDENT) + len(word) <= width:
            lines[-1] += INDENT + word
        else:
            lines.append(INDENT + word)
    return lines
