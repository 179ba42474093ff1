"""The watchdog: whatever ought to move and does not turns `/healthz` to 503, and ends the process a while later, so
that whoever supervises it starts it anew.

It looks from a thread of its own, for an event loop that has stopped cannot look at itself. Its time is that during
which it looked: a process that stood still as a whole (SIGSTOP, a machine that was asleep) is not stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import NoReturn

from streams.engine import exits
from streams.engine.partition import Partition
from streams.engine.readings import Readings
from streams.engine.stages import Unit
from streams.engine.stillness import Sign, Stillness
from streams.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 1.0
#: A look counts for no more than this (seconds), however long ago the last one was.
MOST_S = 2.0

LOOP = "the event loop"


def signs_of(partitions: Mapping[Unit, Partition], waiting: Mapping[Unit, str], kafka: bool) -> dict[str, Sign]:
    """What ought to move among these partitions. `waiting`: those with input that nothing excuses, and what they wait
    for, if that is anything; `kafka`: the brokers answer, for without them nothing can move.
    """
    signs = {}
    for unit, one in list(partitions.items()) if kafka else ():
        sign = _sign(one, waiting.get(unit))
        if sign is not None:
            signs[str(unit)] = sign
    return signs


def _sign(one: Partition, waiting: str | None) -> Sign | None:
    if one.busy:
        return Sign(("busy", one.moved_at), "has had a batch under way")
    if one.closing:
        return None
    if not one.running:
        left = one.remaining
        if left is not None and left.begun is None:
            return None  # others are read first
        where = "" if left is None else f" at changelog offset {left.at}"
        return Sign(("recovering", left and left.at, left and left.left == 0), f"has been recovering{where}")
    if waiting is None:
        return None
    why = f" ({waiting})" if waiting else ""
    return Sign(("waiting", one.moved_at), f"has not moved, with input waiting{why},")


class Watchdog:
    """`partitions` is the engine's own, living dictionary. `/healthz` says what stands still, until it moves again."""

    def __init__(self, settings: Settings, partitions: Mapping[Unit, Partition], readings: Readings) -> None:
        self._stillness = Stillness(settings.stuck_after / 1000, settings.stuck_exit / 1000)
        self._partitions, self._readings = partitions, readings
        self._ending = threading.Event()
        self._beats = 0
        self._stuck = ""
        readings.readiness.watch(lambda: self._stuck or None)
        readings.metrics.stuck.set_function(lambda: bool(readings.readiness.why_stuck()))

    async def run(self) -> None:
        """Look, from a thread, until `stop`; and be the sign that the event loop turns."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()
        while True:
            self._beats += 1
            await asyncio.sleep(LOOK_S)

    def stop(self) -> None:
        """Look no more: a process that ends has a grace of its own."""
        self._ending.set()

    def _run(self) -> None:
        looked, last = 0.0, time.monotonic()
        while not self._ending.wait(LOOK_S):
            now = time.monotonic()
            looked, last = looked + min(now - last, MOST_S), now
            try:
                self._look(looked)
            except Exception as error:
                # It looks at what the event loop changes; the next look counts for this one.
                _say(logging.ERROR, "the watchdog could not look", error=error)

    def _look(self, looked: float) -> None:
        signs = signs_of(self._partitions, self._readings.waiting, self._readings.kafka)
        verdict = self._stillness.look(looked, {LOOP: Sign(self._beats, "has not turned"), **signs})
        before, self._stuck = self._stuck, verdict.stuck
        if verdict.end:
            _end(verdict.stuck)
        elif verdict.stuck and not before:
            _say(logging.ERROR, "stuck: %s", verdict.stuck)
        elif before and not verdict.stuck:
            _say(logging.WARNING, "not stuck any more: %s", before)


def _say(level: int, message: str, *given: str, error: Exception | None = None) -> None:
    """In a thread of its own: what stands still may be a line of the log that nobody reads, and this one behind it."""
    telling = threading.Thread(target=log.log, args=[level, message, *given], kwargs={"exc_info": error}, daemon=True)
    # No thread may be had any more: then the watch goes on without the line.
    with contextlib.suppress(RuntimeError):
        telling.start()


def _end(stuck: str) -> NoReturn:
    exits.leave_soon(exits.STUCK)
    # Standard error may be closed.
    with contextlib.suppress(Exception):
        print(stacks(), file=sys.stderr, flush=True)
    exits.die(exits.STUCK, f"stuck: {stuck}; what every thread was doing is on standard error")


def stacks() -> str:
    """What every thread is doing. Not faulthandler's: no other thread runs until that has been written, and who is to
    read it may have stopped.
    """
    names = {one.ident: one.name for one in threading.enumerate()}
    lines = []
    for ident, frame in sys._current_frames().items():
        lines.append(f"Thread 0x{ident:016x} ({names.get(ident, 'of C')}), most recent call first:")
        for called, line in traceback.walk_stack(frame):
            lines.append(f'  File "{called.f_code.co_filename}", line {line} in {called.f_code.co_name}')
    return "\n".join(lines)
