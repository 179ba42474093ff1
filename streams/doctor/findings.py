"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Verdict = Literal["ok", "warning", "wrong"]

#: From good to bad.
VERDICTS: tuple[Verdict, ...] = ("ok", "warning", "wrong")


class Finding(NamedTuple):
    """One thing that was looked at: what was found there, and what to do (empty: what the check says, or nothing)."""

    verdict: Verdict
    found: str
    remedy: str = ""


class Unknown(Exception):
    """A check cannot look: something that it needs was already found to be missing. `reason` says what."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def ok(found: str, hint: str = "") -> Finding:
    """As it should be. `hint` may say what else could be done."""
    return Finding("ok", found, hint)


def warning(found: str, remedy: str = "") -> Finding:
    """It works, but not for ever, not everywhere, or not yet."""
    return Finding("warning", found, remedy)


def wrong(found: str, remedy: str = "") -> Finding:
    """It keeps Ringback from working, or lets it lose something."""
    return Finding("wrong", found, remedy)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several; `ok` when there is none."""
    return max(verdicts, key=VERDICTS.index, default="ok")
