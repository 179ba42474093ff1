"""An error of our own in words that give no secret away."""

from __future__ import annotations

import traceback


def described(error: BaseException) -> str:
    """What kind of error it is and where it was raised; not its message, which may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}" if frames else type(error).__name__
