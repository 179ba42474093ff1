"""What can be wrong with a template, when it is compiled and when it is rendered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

#: Where in an endpoint: `("url",)`, `("parameters", 0, "value")`, `("headers", "X-Key")`, `("body", "user", "id")`.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TemplateError:
    """One mistake in an endpoint. `column` counts characters of the text at `path` from 1; None means the text as a
    whole.
    """

    path: Path
    column: int | None
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = ".".join(str(step) for step in self.path) + (f":{self.column}" if self.column is not None else "")
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class TemplateErrors(Exception):
    """Every mistake of an endpoint: text by text, and in each from left to right."""

    def __init__(self, errors: Iterable[TemplateError]) -> None:
        found = list(errors)
        texts = {error.path: None for error in found}
        order = {path: index for index, path in enumerate(texts)}
        self.errors = sorted(found, key=lambda error: (order[error.path], error.column or 0))
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(frozen=True, slots=True)
class Complaints:
    """Collects mistakes while an endpoint is compiled; `at` gives the same list for a place further in."""

    path: Path = ()
    errors: list[TemplateError] = field(default_factory=list)

    def at(self, *steps: str | int) -> Complaints:
        return Complaints((*self.path, *steps), self.errors)

    def add(self, column: int | None, message: str, hint: str | None = None) -> None:
        self.errors.append(TemplateError(self.path, column, message, hint))

    def where(self) -> str:
        """The place in words, for the detail of a refusal."""
        return ".".join(str(step) for step in self.path)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record gives no request. `reason` is a key of `schemas.decision.NOES`; `detail` names the place, never a
    value.
    """

    reason: Literal["missing_required", "unrenderable"]
    detail: str


class Refused(Exception):
    """Carries a refusal out of the rendering of a text; never leaves the room."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class Unrenderable(Exception):
    """A value cannot stand where the template puts it. The message holds neither the value nor a secret."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known word, or None when none is near."""
    folded = {name.lower().replace("_", ""): name for name in known}
    near = get_close_matches(word.strip().lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.7)
    return f"did you mean {folded[near[0]]!r}?" if near else None
