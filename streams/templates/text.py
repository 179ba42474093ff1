"""Compiled texts: literal text and insertions in order, put together for each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from schemas.job import Part, Place
from streams.templates import insertion, places
from streams.templates.errors import Complaints, Unrenderable
from streams.templates.insertion import Insertion, Read, Render, Renderer, Scope, Spot, Values
from streams.templates.parse import Literal, Reference, Token

#: The parts of a text for a record's values; text parts that follow one another are one. Raises `Refused`.
Text = Callable[[Values], tuple[Part, ...]]


@dataclass(slots=True)
class TextBuilder:
    """Gathers the pieces of one text. `lacking` reads the values that may be missing with nothing to stand in for
    them.
    """

    pieces: list[Part | Render] = field(default_factory=list)
    lacking: list[Read] = field(default_factory=list)
    defers: bool = False

    def add_literal(self, text: str) -> None:
        """Text that is encoded already."""
        self.pieces.append(text)

    def add_insertion(self, inserted: Insertion | None) -> None:
        if inserted is None:
            return
        if inserted.render is not None:
            self.add_render(inserted.render, inserted.defers)
        elif inserted.constant is not None:
            self.pieces.append(inserted.constant)
        if inserted.lacking is not None:
            self.lacking.append(inserted.lacking)

    def add_render(self, render: Render, defers: bool) -> None:
        self.pieces.append(render)
        self.defers = self.defers or defers

    def add_tokens(self, tokens: Iterable[Token], spot: Spot, scope: Scope, complaints: Complaints) -> None:
        """All of a template's tokens at one place, its literal text encoded for it."""
        for token in tokens:
            if isinstance(token, Literal):
                self.add_literal(_literal(token, spot.place, complaints))
            else:
                self.add_insertion(inserted(token, spot, scope, complaints))

    def build(self) -> Text:
        """The text as a function. What does not depend on the record is put together here, once."""
        pieces = _merged_pieces(self.pieces)
        renders = tuple((index, piece) for index, piece in enumerate(pieces) if callable(piece))
        if not renders:
            constant = merged([piece for piece in pieces if not callable(piece)])
            return lambda _given: constant
        blank: list[Part | tuple[Part, ...]] = ["" if callable(piece) else piece for piece in pieces]
        if self.defers or any(not isinstance(part, str) for part in blank):
            return _with_deferred(blank, renders)
        return _of_strings([part for part in blank if isinstance(part, str)], renders)

    def add_all(self, other: TextBuilder) -> None:
        """All that another builder has gathered."""
        self.pieces += other.pieces
        self.defers = self.defers or other.defers

    def is_constant(self) -> bool:
        """Whether the text is the same for every record."""
        return not any(callable(piece) for piece in self.pieces)


def inserted(token: Token, spot: Spot, scope: Scope, complaints: Complaints) -> Insertion | None:
    """The insertion of a token that is not literal."""
    if isinstance(token, Reference):
        return insertion.of_reference(token, spot)
    return None if isinstance(token, Literal) else insertion.of_macro(token, spot, scope, complaints)


def _literal(token: Literal, place: Place, complaints: Complaints) -> str:
    try:
        return places.encoder(place, raw=False)(token.text)
    except Unrenderable as problem:
        complaints.add(token.column, str(problem))
        return ""


def _merged_pieces(pieces: Sequence[Part | Render]) -> list[Part | Render]:
    out: list[Part | Render] = []
    for piece in pieces:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        elif piece != "":
            out.append(piece)
    return out


def _of_strings(blank: list[str], renders: tuple[tuple[int, Render], ...]) -> Text:
    macros = tuple((index, cast("Renderer", render)) for index, render in renders)
    quick = tuple((index, render.read, render.write, render) for index, render in macros)

    def text(given: Values) -> tuple[Part, ...]:
        parts = blank.copy()
        try:
            for index, read, write, render in quick:
                value = read(given)
                parts[index] = cast("str", render(given)) if value is None else write(value)
        except Unrenderable:
            # The first that cannot be written tells where it stands.
            for _, render in macros:
                render(given)
            raise
        return ("".join(parts),)

    return text


def _with_deferred(blank: list[Part | tuple[Part, ...]], renders: tuple[tuple[int, Render], ...]) -> Text:
    def text(given: Values) -> tuple[Part, ...]:
        parts = blank.copy()
        for index, render in renders:
            parts[index] = render(given)
        return merged(parts)

    return text


def merged(parts: Iterable[Part | tuple[Part, ...]]) -> tuple[Part, ...]:
    """The parts in one row, texts that follow one another joined."""
    out: list[Part] = []
    for part in parts:
        for single in part if isinstance(part, tuple) else (part,):
            if isinstance(single, str) and out and isinstance(out[-1], str):
                out[-1] += single
            elif single != "":
                out.append(single)
    return tuple(out)
