"""The toy worker, which crashes with the first record that it reads, and whose connections do not close."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from streams.engine.transport import ConsumerThread
from streams.engine.worker import Engine
from tests.support import engine_toy

_fetch = ConsumerThread._fetch


async def fail(thread: ConsumerThread, *asked: Any) -> Any:
    fetched = await _fetch(thread, *asked)
    if any(fetched.records.values()):
        raise RuntimeError("nobody has foreseen this")
    return fetched


async def hang(engine: Engine) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    ConsumerThread._fetch = fail  # type: ignore[method-assign, assignment]
    Engine.close = hang  # type: ignore[method-assign, assignment]
    sys.exit(engine_toy.main())
