"""A process that has no file descriptors left, and sends all the same: prints what came of each request, as JSON.

`python -m tests.support.starved PORT OTHER`: two ports where somebody answers on the loopback address.
"""

from __future__ import annotations

import asyncio
import contextlib
import encodings.idna  # noqa: F401 - a first look-up would import it, and there will be nothing left to open it with
import json
import os
import resource
import sys

from streams.delivery.outcome import Outcome
from tests.support.talking import a_wire, get

PLENTY = 5_000


def starve(held: list[int]) -> int:
    """Hold every file descriptor that this process may have; how many it did not hold before."""
    before = len(held)
    with contextlib.suppress(OSError):
        while True:
            held.append(os.dup(1))
    return len(held) - before


async def outcomes(port: int, other: int) -> tuple[dict[str, Outcome], int]:
    """By what was tried, and how many file descriptors were given back for it."""
    async with a_wire() as wire:
        here, there, named = (
            f"http://{host}/i" for host in (f"127.0.0.1:{port}", f"127.0.0.1:{other}", "nowhere.invalid")
        )
        found = {"before": await wire.send(get(here), PLENTY)}
        held = [os.dup(1)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 50, held[0] + 50))
        starve(held)
        found["used before"] = await wire.send(get(here), PLENTY)
        found["a name"] = await wire.send(get(named), PLENTY)
        # That gave up the connection that waited for its next request, in the next turn of the loop.
        await asyncio.sleep(0.01)
        given_back = starve(held)
        found["another"] = await wire.send(get(there), PLENTY)
        for descriptor in held:
            os.close(descriptor)
        found["after"] = await wire.send(get(there), PLENTY)
        found["a name after"] = await wire.send(get(named), PLENTY)
    return found, given_back


def main() -> None:
    """Try, and tell."""
    found, given_back = asyncio.run(outcomes(int(sys.argv[1]), int(sys.argv[2])))
    told = {name: (one.kind, one.error, one.reused) for name, one in found.items()}
    print(json.dumps(told | {"given back": given_back}))


if __name__ == "__main__":
    main()
