"""A request that is shown to people before its secrets are put in: each stands there as its reference. Pure.

A part that holds a secret, or is computed from one, becomes a word that nothing encodes; when the request is finished
and written, each word gives way to what may be shown: `${env:ACME_KEY}`, or `{clk-1|hmac_sha256:${env:ACME_KEY}}` for
what is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.job import Deferred, Part, Request
from streams.templates import references, values
from streams.templates.modifiers import MODIFIERS

_WORD = "secret"


class Masked(NamedTuple):
    """A request without secrets, for each word that stands in for one what is shown in its place, and the references
    that are left out, each once.
    """

    request: Request
    shown: Mapping[str, str]
    hidden: tuple[str, ...]


def mask(request: Request) -> Masked:
    """The request with a word for every part that the sender would need a secret for."""
    written = msgspec.json.encode(request).decode().lower()
    word = _WORD
    while word in written:
        word += "x"
    shown: dict[str, str] = {}
    hidden: dict[str, None] = {}

    def masked(parts: Sequence[Part]) -> tuple[Part, ...]:
        found: list[Part] = []
        for part in parts:
            if isinstance(part, Deferred) and (needed := _references(part)):
                hidden.update(dict.fromkeys(f"${{{one}}}" for one in needed))
                # The letter at the end keeps the first word from being the beginning of the tenth.
                name = f"{word}{len(shown)}s"
                shown[name] = show(part)
                part = name
            found.append(part)
        return tuple(found)

    return Masked(
        Request(
            request.method,
            masked(request.url),
            tuple((name, masked(parts)) for name, parts in request.headers),
            None if request.body is None else masked(request.body),
        ),
        shown,
        tuple(hidden),
    )


def unmask(text: str, shown: Mapping[str, str]) -> str:
    """What was written of a masked request, each word replaced by what is shown for it."""
    for word, instead in shown.items():
        text = text.replace(word, instead)
    return text


def _references(part: Deferred) -> list[str]:
    """The secrets that are in the part, or in what it is computed with; a captured value is none, whatever it reads."""
    texts = [argument for _, argument in part.modifiers if argument]
    if part.kind == "text" and isinstance(part.base, str):
        texts.append(part.base)
    return [reference for text in texts for reference in references.references(text)]


def show(part: Deferred) -> str:
    """The part as it was written in the template, with the value in place of the macro where that is known."""
    calls = list(part.modifiers)
    whole = calls[-1:] == [("json", None)]
    calls = [call for call in calls[: -1 if whole else None] if call[0] != "raw"]
    base = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in values.text_of(part.base))
    steps = "|".join([base, *(name if argument is None else f"{name}:{argument}" for name, argument in calls)])
    text = f"{{{steps}}}" if calls else steps
    # As the value of a key in JSON it is a string, but for what is made a number.
    number = any(MODIFIERS[name].gives == "number" for name, _ in calls[-1:] if name in MODIFIERS)
    return f'"{text}"' if whole and not number else text
