"""References to secrets, `${env:NAME}` and `${file:PATH}`: finding them, and putting the secrets in their place."""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(r"\$\{((?:env|file):[^}]*)\}")
_WELL_FORMED = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+")

#: What a reference begins with; any other `${` is a dollar sign before a macro.
OPENINGS = ("${env:", "${file:")


def references(text: str) -> list[str]:
    """The references in a text, in order: `env:ACME_KEY`, `file:/run/secrets/acme`."""
    return _REFERENCE.findall(text)


def problem(text: str) -> str | None:
    """What is wrong with the references of a text, or None."""
    if sum(text.count(opening) for opening in OPENINGS) != len(references(text)):
        return "the reference to a secret is not closed with '}'"
    for reference in references(text):
        if not _WELL_FORMED.fullmatch(reference):
            return f"'${{{reference}}}' is not a reference to a secret: it is ${{env:NAME}} or ${{file:PATH}}"
    return None


def resolve(text: str, secret: Callable[[str], str]) -> str:
    """The text with each reference replaced by its secret, once: what a secret contains is not looked at again."""
    return _REFERENCE.sub(lambda match: secret(match[1]), text)
