"""Secrets, resolved from their references in this process only; never logged, never part of an error."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

#: How long a value is used before its source is read again (seconds): a rotated secret needs no restart.
REFRESH = 30.0


class SecretMissing(Exception):
    """There is no value for `reference`. The fault is ours: the job waits and no attempt is charged."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"no value for {reference}")
        self.reference = reference


class Secrets:
    """Resolves `env:NAME` and `file:PATH`; `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, str]] = {}

    def __call__(self, reference: str) -> str:
        """The value of `reference`. Raises `SecretMissing`."""
        now = self._monotonic()
        known = self._known.get(reference)
        if known is not None and known[0] > now:
            return known[1]
        value = _read(reference)
        self._known[reference] = (now + REFRESH, value)
        return value


def _read(reference: str) -> str:
    kind, _, name = reference.partition(":")
    value: str | None = None
    if kind == "env":
        value = os.environ.get(name)
    elif kind == "file":
        try:
            value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            value = None
    if not value:
        raise SecretMissing(reference)
    return value
