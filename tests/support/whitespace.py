"""Text files end their lines and themselves cleanly.

`python -m tests.support.whitespace FILE …` lists what does not, and exits with 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def faults(text: bytes) -> Iterator[tuple[int, str]]:
    """The (line number, fault) of everything that is unclean in a file's bytes."""
    lines = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.endswith(b"\r"):
            yield number, "carriage return at the end of the line"
        elif line != line.rstrip():
            yield number, "whitespace at the end of the line"
        if line.startswith((b"<<<<<<< ", b">>>>>>> ")):
            yield number, "merge conflict"
    if text and lines[-1]:
        yield len(lines), "no line break at the end of the file"
    if len(lines) > 2 and lines[-2] == b"" and lines[-1] == b"":
        yield len(lines) - 1, "blank line at the end of the file"


def main(files: Sequence[str]) -> int:
    """List the faults of these files."""
    found = [f"{file}:{line}: {fault}" for file in files for line, fault in faults(Path(file).read_bytes())]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
