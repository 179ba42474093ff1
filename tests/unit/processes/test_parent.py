"""How the parent judges its children, by what their probes answer."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streams.processes import parent
from streams.processes.patience import Patience
from streams.settings import Settings


class Judged:
    """A parent of one child that has not been well for so long (seconds), what it does to it, and says of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int, unwell: float, limit: float) -> None:
        self.did: list[Any] = []
        self.parent = parent.Parent("worker", Settings(), 1, ["true"])
        self.parent._patience = Patience(limit, True)
        self.child = self.parent.children[0]
        self.child.port = port
        self.child.well_at = self.child.answered_at = time.monotonic() - unwell
        monkeypatch.setattr(parent, "LOOK_S", 0.05)
        monkeypatch.setattr(self.child, "send", self.did.append)
        monkeypatch.setattr(parent.log, "error", self.did.append)

    async def look(self, seconds: float) -> None:
        """As the parent does, for so long."""
        looking = asyncio.create_task(self.parent._look())
        await asyncio.sleep(seconds)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


@contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_child_that_is_stuck_is_killed_before_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the log may have stopped: then whoever logs stands still."""
    with nobody() as port:
        judged = Judged(monkeypatch, port, unwell=20, limit=10)
        await judged.look(0.5)
    assert judged.did[0] == signal.SIGKILL
    assert "worker 1 has been stuck for 20 s (no answer): it is killed" in judged.did[1]
    assert len(judged.did) == 2, "once"
