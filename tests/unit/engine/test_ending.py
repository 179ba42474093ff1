"""The end of a worker comes in time, whatever hangs."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import ending, exits
from streams.engine.ending import Ending
from tests.support.unread import status_unread


class Ended(BaseException):
    """In place of the process's end."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which status the process has ended at once."""
    statuses: list[int] = []

    def leave(status: int) -> NoReturn:
        statuses.append(status)
        raise Ended

    monkeypatch.setattr(exits, "leave", leave)
    monkeypatch.setattr(exits, "leave_soon", lambda status: None)
    return statuses


@given(st.floats(-10, 100))
def test_the_rest_has_what_is_left_of_the_grace_within_bounds(left: float) -> None:
    within = ending.closing(left)
    assert ending.LEAST_CLOSING_S <= within <= ending.CLOSING_S
    assert within == left or left < ending.LEAST_CLOSING_S or left > ending.CLOSING_S


@pytest.mark.parametrize(("under_way", "status"), [(["partition 3"], exits.CHECKPOINT_FAILED), ([], exits.RESTART)])
async def test_when_the_grace_is_over_only_what_was_under_way_is_a_failure(
    ends: list[int], caplog: pytest.LogCaptureFixture, under_way: list[str], status: int
) -> None:
    # Whatever commands have run in this process before, of which some want no log.
    caplog.set_level(logging.INFO, "streams.engine.ending")
    caplog.set_level(logging.INFO, "streams.engine.exits")

    async def hang() -> None:
        await asyncio.sleep(60)

    with pytest.raises(Ended):
        await Ending(0.05, lambda: exits.RESTART).finish(hang(), lambda: under_way)
    assert ends == [status]
    last = caplog.records[-1].getMessage()
    assert f"(exit status {status})" in last
    assert (under_way or ["partitions being opened"])[0] in last


async def test_what_goes_wrong_in_the_end_is_not_hidden() -> None:
    async def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        await Ending(5, lambda: 0).finish(fail(), list)


#: A thread that waits for ever keeps the interpreter from its end.
HANGING = """
import asyncio, logging, threading
from streams.engine import ending
ending.CLOSING_S = ending.LEAST_CLOSING_S = 0.2
logging.basicConfig()
threading.Thread(target=threading.Event().wait).start()

async def main():
    one = ending.Ending(5, lambda: 75)
    await one.finish(asyncio.sleep(0), list)
    one.hurry()
    one.ended()

asyncio.run(main())
"""


#: The same, and nobody reads its log any more.
UNREAD = HANGING.replace(
    "    one.hurry()",
    """    one.hurry()
    exits.LAST_WORDS_S = 0.2
    threading.Thread(target=lambda: [logging.error("x" * 1_000) for _ in range(1_000)], daemon=True).start()
    await asyncio.sleep(0.1)
    return
""",
).replace("import ending\n", "import ending, exits\n")


def test_a_log_that_nobody_reads_does_not_keep_the_process() -> None:
    assert status_unread(UNREAD) == exits.RESTART


def test_threads_that_hang_do_not_keep_the_process() -> None:
    process = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, timeout=30, text=True, check=False)
    assert process.returncode == exits.RESTART, process.stderr
    assert "(threads) did not within 0.2 s" in process.stderr
