"""From a template's text to its tokens, in a single pass.

`{name|modifier|modifier:argument}` is a macro; `{{` and `}}` are literal braces; `${env:NAME}` and `${file:PATH}` are
references to secrets. An argument is plain text without `|`, `{` and `}`, but it may hold references.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from streams.templates import references
from streams.templates.errors import Complaints

_REFERENCE = r"\$\{(?:env|file):[^}]*\}"
_SPECIAL = re.compile(r"\$\{(?:env|file):|\{\{|\}\}|\{|\}")
_INSIDE = re.compile(rf"(?:{_REFERENCE}|[^{{}}])*")
_PIECE = re.compile(rf"(?:{_REFERENCE}|[^|])*")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself. `column` is that of its first character, from 1."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a secret, as it is written."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class ModifierCall:
    """A modifier as it is written; `argument` is None when there is no colon."""

    name: str
    argument: str | None
    column: int


@dataclass(frozen=True, slots=True)
class MacroCall:
    """A macro as it is written; whether it exists is not known here."""

    name: str
    modifiers: tuple[ModifierCall, ...]
    column: int


Token = Literal | Reference | MacroCall


def parse(text: str, complaints: Complaints) -> list[Token]:
    """The tokens of a template. Mistakes go to `complaints`, and parsing goes on behind them."""
    return list(_tokens(text, complaints))


def _tokens(text: str, complaints: Complaints) -> Iterator[Token]:
    position = 0
    while position < len(text):
        special = _SPECIAL.search(text, position)
        start = special.start() if special else len(text)
        if start > position:
            yield Literal(text[position:start], position + 1)
        if special is None:
            return
        found = special[0]
        if found in ("{{", "}}"):
            yield Literal(found[0], start + 1)
            position = special.end()
        elif found == "}":
            complaints.add(start + 1, "a single '}'", "a literal brace is written '}}'")
            position = special.end()
        else:
            token, position = (_macro if found == "{" else _reference)(text, start, complaints)
            if token is not None:
                yield token


def _reference(text: str, start: int, complaints: Complaints) -> tuple[Token | None, int]:
    end = text.find("}", start) + 1 or len(text)
    reference = text[start:end]
    if problem := references.problem(reference):
        complaints.add(start + 1, problem)
        return None, end
    return Reference(reference, start + 1), end


def _macro(text: str, start: int, complaints: Complaints) -> tuple[Token | None, int]:
    inside = _INSIDE.match(text, start + 1)
    end = inside.end() if inside else start + 1
    if text[end : end + 1] != "}":
        complaints.add(start + 1, "'{' is not closed", "a literal brace is written '{{'")
        return None, end
    (name, column), *modifiers = _split(text[start + 1 : end], start + 2)
    return MacroCall(name, tuple(_modifier(written, at) for written, at in modifiers), column), end + 1


def _split(text: str, column: int) -> list[tuple[str, int]]:
    pieces = []
    position = 0
    while position <= len(text):
        piece = _PIECE.match(text, position)
        end = piece.end() if piece else position
        pieces.append((text[position:end], column + position))
        position = end + 1
    return pieces


def _modifier(text: str, column: int) -> ModifierCall:
    name, colon, argument = text.partition(":")
    return ModifierCall(name, argument if colon else None, column)
