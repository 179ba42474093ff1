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


async def test_a_pause_of_the_parent_while_it_asks_is_not_the_childs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine asleep, a container paused: the answer was under way, and comes too late."""
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            time.sleep(1.0)  # noqa: ASYNC251 -- all stands still, and so does the parent
            await asyncio.sleep(0.2)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"unmet":{}}')
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        judged = Judged(monkeypatch, server.sockets[0].getsockname()[1], unwell=0, limit=0.8)
        await judged.look(2.5)
    assert asked > 4
    assert judged.did == []


def test_what_is_forgiven_makes_nobody_well_in_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = Judged(monkeypatch, port=0, unwell=30, limit=10)
    judged.parent._forgive(20)
    assert 9 < time.monotonic() - judged.child.well_at < 11
    judged.parent._forgive(3_600)
    assert max(judged.child.well_at, judged.child.answered_at) <= time.monotonic()
