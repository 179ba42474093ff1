"""What must not wait for a rebalance, because the rebalance waits for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.engine.intake import Fetched
from streams.engine.partition import Partition
from streams.engine.transport import ConsumerThread


async def for_ever(*_: Any, **__: Any) -> None:
    """As aiokafka does between a revocation and the next assignment."""
    await asyncio.Event().wait()


async def test_a_fetch_that_meets_a_rebalance_is_given_up() -> None:
    consumer = SimpleNamespace(_max_poll_records=1)
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer, _fetch_records=for_ever)
    fetching = ConsumerThread._fetch(thread, frozenset({TP("events", 0)}), 0.01)
    assert await asyncio.wait_for(fetching, 5) == Fetched({}, {})


async def test_a_seek_that_meets_a_rebalance_is_given_up_when_the_partition_is_closed(monkeypatch: Any) -> None:
    monkeypatch.setattr("streams.engine.partition.SEEK_S", 0.01)
    partition: Any = SimpleNamespace(closing=False)
    moving = asyncio.create_task(Partition._move(partition, for_ever, {("events", 0): 5}))
    await asyncio.sleep(0.05)
    assert not moving.done()
    partition.closing = True
    await asyncio.wait_for(moving, 5)


class Coordinator:
    """aiokafka's, as far as it is asked: `answer` is the heartbeat's; the member may be forgotten by it."""

    def __init__(self, answer: bool = True, *, known: bool = True, rejoin: bool = False, forgets: bool = False) -> None:
        self.answer, self.known, self.rejoin, self.forgets = answer, known, rejoin, forgets
        self.member_id = "member-1"

    async def ensure_coordinator_known(self) -> None:
        if not self.known:
            await for_ever()

    async def _do_heartbeat(self) -> bool:
        if self.forgets:
            self.member_id = ""
        return self.answer

    def need_rejoin(self, _subscription: object) -> bool:
        return self.rejoin


@pytest.mark.parametrize(
    ("coordinator", "expected"),
    [
        (Coordinator(), "member"),
        (Coordinator(rejoin=True), "rebalancing"),
        (Coordinator(answer=False, forgets=True, rejoin=True), "gone"),
        (Coordinator(answer=False), None),
        (Coordinator(known=False), None),
    ],
    ids=["a member", "a rebalance has begun", "put out of the group", "the request failed", "no broker"],
)
async def test_the_group_says_whether_a_partition_is_still_ours(
    coordinator: Coordinator, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.engine.transport.HEARTBEAT_S", 0.01)
    consumer = SimpleNamespace(_coordinator=coordinator, _subscription=SimpleNamespace(subscription=None))
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer)
    assert await ConsumerThread._membership(thread) == expected
