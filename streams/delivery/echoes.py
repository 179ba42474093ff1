"""A partner may repeat what it was sent, and its answer goes into receipts: secrets are taken out before. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from streams.templates.places import percent

#: Shorter ones would be found anywhere.
SHORTEST = 4
#: A value that is not used any more may still come back in an answer that is under way.
KEPT = 2

_WRITINGS: tuple[Callable[[str], str], ...] = (
    str,
    percent,
    quote,
    quote_plus,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
)


class Echoes:
    """The secrets that were sent, in every way in which one may be written."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}
        #: What is looked for, the longest first, and what takes its place.
        self._written: list[tuple[str, str]] = []

    def sent(self, reference: str, value: str) -> None:
        """The value of `reference` goes into a request."""
        values = self._values.setdefault(reference, [])
        if value in values:
            return
        del values[: len(values) + 1 - KEPT]
        values.append(value)
        written = {
            writing(one): f"${{{name}}}"
            for name, known in self._values.items()
            for one in known
            if len(one) >= SHORTEST
            for writing in _WRITINGS
        }
        self._written = sorted(written.items(), key=lambda pair: len(pair[0]), reverse=True)

    def hidden(self, text: str, whole: bool) -> str:
        """The text with references in the place of secrets. Unless it is `whole`, it may end within one."""
        for written, reference in self._written:
            if written in text:
                text = text.replace(written, reference)
        return text if whole else self._cut(text)

    def _cut(self, text: str) -> str:
        for written, reference in self._written:
            longest = min(len(written) - 1, len(text))
            for length in range(longest, SHORTEST - 1, -1):
                if text.endswith(written[:length]):
                    return text[:-length] + reference
        return text
