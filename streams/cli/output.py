"""What commands say: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from streams.errors import Stop


def say(message: str) -> None:
    """Tell the user something that is no result."""
    print(f"ringback: {message}", file=sys.stderr, flush=True)


def complain(stop: Stop) -> None:
    """Tell why the command ends, and the way out."""
    say(stop.message)
    for line in filter(None, stop.remedy.splitlines()):
        print(f"  → {line}", file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns that line up; the last one is as long as it is."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in [header, *rows]
    )


def printable(text: str) -> str:
    """A text from a topic or a file, that may hold what would move the cursor."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
