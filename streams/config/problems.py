"""What is wrong with a configuration, and where: one `Problem` for each mistake, all of them in one
`ConfigurationErrors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from streams.errors import USAGE, Stop

#: Where in the configuration: `("postbacks", 0, "url")`.
Path = tuple[str | int, ...]

#: So many problems are shown; a file of another kind would otherwise give thousands.
SHOWN = 100


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1, a line of 0 means the file (or directory) as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def moved(self, columns: int) -> Place:
        """The place so many columns further to the right."""
        return Place(self.file, self.line, self.column + columns)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `path` is empty when the file as such is wrong; `hint` is what was probably meant, or what to do."""

    place: Place
    path: Path
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        words = (str(self.place), written(self.path), self.message)
        return " ".join(word for word in words if word) + (f"; {self.hint}" if self.hint else "")


class ConfigurationErrors(Stop):
    """A configuration that cannot be used, with every problem there is, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(dict.fromkeys(problems), key=lambda problem: problem.place)
        lines = [str(problem) for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"… and {len(self.problems) - SHOWN} more")
        count = len(self.problems)
        summary = f"{count} problem{'s' if count != 1 else ''} in the configuration; nothing was changed"
        super().__init__("\n".join(lines), summary, USAGE)


def written(path: Path) -> str:
    """A path as people write it: `postbacks[0].headers.X-Key`."""
    text = ""
    for step in path:
        if isinstance(step, str) and not step.isprintable():
            step = repr(step)[1:-1]  # A mistake is one line, also when a key is two.
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """A hint with the nearest of the known words, None when none is near."""
    folded = {name.casefold().replace("-", "_"): name for name in known}
    near = get_close_matches(str(word).strip().casefold().replace("-", "_"), folded, n=1, cutoff=0.7)
    return f"did you mean {folded[near[0]]}?" if near else None
