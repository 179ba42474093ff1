"""Errors that end a process on purpose: they say what is wrong and what to do, without a traceback."""

from __future__ import annotations

#: Exit statuses of every command: something failed while running, or it was told something wrong.
RUNTIME = 1
USAGE = 2


class Stop(Exception):
    """Ends the process with `exit_code`. `message` says what is wrong, `remedy` what to do (empty: nothing to add)."""

    exit_code: int

    def __init__(self, message: str, remedy: str = "", exit_code: int = RUNTIME) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message
