"""One ticker for all deadlines: late by a tick at most, never early, and none that was dropped."""

from __future__ import annotations

import asyncio
import time

from streams.delivery.deadlines import TICK_SECONDS, Deadlines


class Timed:
    """Remembers when it expired."""

    def __init__(self) -> None:
        self.expired: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def expire(self) -> None:
        self.expired.set_result(time.monotonic())

    def close(self) -> None:
        self.expired.cancel()


async def late(deadlines: Deadlines, seconds: float) -> float:
    """Wait for a deadline; how late it came."""
    timed, at = Timed(), time.monotonic() + seconds
    deadlines.set(timed, at)
    return await asyncio.wait_for(timed.expired, 5) - at


async def test_each_one_passes_at_its_time_and_not_before() -> None:
    deadlines = Deadlines()
    found = await asyncio.gather(*(late(deadlines, each) for each in [0.0, 0.01, 0.06, 0.11, 0.2]))
    assert all(0 <= each < TICK_SECONDS + 0.5 for each in found)


async def test_one_that_was_dropped_never_passes() -> None:
    deadlines, dropped = Deadlines(), Timed()
    slot = deadlines.set(dropped, time.monotonic() + 0.05)
    deadlines.drop(dropped, slot)
    await late(deadlines, 0.15)
    assert not dropped.expired.done()


async def test_one_that_passes_may_drop_the_others_of_its_tick() -> None:
    deadlines = Deadlines()
    slots: dict[Timed, int] = {}

    class Dropping(Timed):
        def expire(self) -> None:
            super().expire()
            for other, slot in slots.items():
                deadlines.drop(other, slot)

    at = time.monotonic() + 0.05
    droppers = [Dropping() for _ in range(8)]
    for one in droppers:
        slots[one] = deadlines.set(one, at)
    await late(deadlines, 0.15)
    assert sum(one.expired.done() for one in droppers) == 1


async def test_after_a_rest_it_ticks_again() -> None:
    deadlines = Deadlines()
    await late(deadlines, 0.01)
    await asyncio.sleep(2 * TICK_SECONDS)
    assert deadlines._timer is None
    await late(deadlines, 0.01)


async def test_none_passes_when_all_is_closed_and_each_is_told() -> None:
    deadlines, waiting = Deadlines(), [Timed() for _ in range(3)]
    for one in waiting:
        deadlines.set(one, time.monotonic() + 0.05)
    deadlines.close()
    assert all(one.expired.cancelled() for one in waiting)
    assert deadlines._timer is None
    await late(Deadlines(), 0.15)


async def test_an_error_of_one_leaves_the_others_their_time() -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    class Failing(Timed):
        def expire(self) -> None:
            raise RuntimeError("s3cr3t")

    deadlines, at = Deadlines(), time.monotonic() + 0.05
    others = [Timed() for _ in range(8)]
    for one in (*others, Failing(), Failing()):
        deadlines.set(one, at)
    await late(deadlines, 0.15)
    assert all(one.expired.done() for one in others)
    assert len(told) == 2
    assert "s3cr3t" not in str(told)
