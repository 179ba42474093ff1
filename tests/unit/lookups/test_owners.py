"""Asking Kafka for an owner, as far as it goes without one."""

from __future__ import annotations

import asyncio

import pytest

from streams.lookups.owners import Owners
from streams.settings import Settings


async def test_nothing_is_being_asked_any_more_when_it_is_closed() -> None:
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    before = asyncio.all_tasks()
    owners = Owners(Settings(bootstrap_servers=f"127.0.0.1:{port}"))
    asking = asyncio.create_task(owners.noted(("events", 0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len([one for one in asyncio.all_tasks() - before if "_ask" in repr(one)]) == 1
    await owners.close()
    assert not [one for one in asyncio.all_tasks() - before if "_ask" in repr(one)]
    with pytest.raises(asyncio.CancelledError):
        await asking
    silent.close()
