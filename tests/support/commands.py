"""Our commands inside the test's process, for what needs no process of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.cli.main import run
from streams.settings import Settings, environment

#: Runs a command; gives its exit status, output and errors.
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ringback(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`ringback("topics", "list")` with this test's settings."""

    def command(*arguments: str) -> tuple[int, str, str]:
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        status = run(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return command
