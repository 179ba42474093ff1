"""Whose turn it is to start a request."""

from __future__ import annotations

import asyncio
from collections import Counter

from streams.delivery.turns import STARTS_PER_TURN, Turns


async def test_lanes_start_one_each_in_turn() -> None:
    started: list[str] = []
    left = Counter(a=4, b=2, c=1)

    def start(lane: str) -> bool:
        if not left[lane]:
            return False
        left[lane] -= 1
        started.append(lane)
        return True

    turns: Turns[str] = Turns(start, lambda: True)
    for lane in left:
        turns.add(lane)
    await asyncio.sleep(0)
    assert "".join(started) == "abcabaa"


async def test_after_a_few_starts_the_loop_turns() -> None:
    count = 0

    def start(_: str) -> bool:
        nonlocal count
        count += 1
        return count < 5 * STARTS_PER_TURN

    turns: Turns[str] = Turns(start, lambda: True)
    turns.add("a")
    for turn in range(1, 6):
        await asyncio.sleep(0)
        assert count == turn * STARTS_PER_TURN
    await asyncio.sleep(0)
    assert count == 5 * STARTS_PER_TURN


async def test_nothing_starts_while_nothing_may_and_nothing_is_forgotten() -> None:
    started: list[str] = []
    may = False

    def start(lane: str) -> bool:
        started.append(lane)
        return False

    turns: Turns[str] = Turns(start, lambda: may)
    turns.add("a")
    turns.add("b")
    await asyncio.sleep(0.01)
    assert started == []
    may = True
    turns.go_on()
    await asyncio.sleep(0.01)
    assert started == ["a", "b"]
