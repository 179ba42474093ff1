"""A protection, and how to take it out."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """`row`: the fault, as tests name it. `without`: what is then missing. `old`, which stands once in `file`, becomes
    `new`. `tests`: pytest's names of those that must notice.
    """

    row: str
    without: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text without the protection. Raises ValueError when it is not there, or there twice."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {self.old!r} {text.count(self.old)} times, expected once")
        return text.replace(self.old, self.new)
