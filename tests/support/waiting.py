"""Waiting for something to become true, with a deadline, never with a fixed sleep."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Value = TypeVar("Value")
EVERY = 0.05


def eventually(probe: Callable[[], Value], *, within: float = 15.0, every: float = EVERY, what: str = "") -> Value:
    """What `probe` says once that is true; after an AssertionError it is asked again. Fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found, doubt = _ask(probe)
        if found:
            return found  # type: ignore[return-value]
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within} s: {what or inspect.getsource(probe).strip()} (last: {found!r})"
            ) from doubt
        time.sleep(every)


async def eventually_async(
    probe: Callable[[], Value | Awaitable[Value]], *, within: float = 15.0, every: float = EVERY, what: str = ""
) -> Value:
    """The same in an event loop, which goes on turning; `probe` may be a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        found, doubt = _ask(probe)
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found  # type: ignore[return-value]
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within} s: {what or inspect.getsource(probe).strip()} (last: {found!r})"
            ) from doubt
        await asyncio.sleep(every)


async def all_wait(within: float = 5.0) -> None:
    """Until every other task of the event loop is over, or waits for something that no task is about to bring: so far
    have they come, however fast the machine is. Threads and timers are not waited for.
    """
    loop: Any = asyncio.get_running_loop()
    deadline = time.monotonic() + within
    while True:
        await asyncio.sleep(0)
        if not loop._ready:
            return
        assert time.monotonic() < deadline, "the tasks never rest"


def _ask(probe: Callable[[], object]) -> tuple[object, AssertionError | None]:
    try:
        return probe(), None
    except AssertionError as error:
        return None, error
