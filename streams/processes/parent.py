"""The parent of several processes: starts them, starts them anew, ends them, and answers for them.

It does nothing else, so that nothing else can go wrong in it: no Kafka, no state. Children are in sessions of their
own: a Ctrl-C in the terminal reaches the parent only, which passes it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Sequence

import aiohttp
from prometheus_client import CollectorRegistry, ProcessCollector

from streams import logs, probes
from streams.processes import shares
from streams.processes.children import CLOSING_S, Child
from streams.processes.patience import patience
from streams.processes.restarts import GiveUp, judge, together, words
from streams.settings import Settings, environment

log = logs.get(__name__)

#: How often (seconds) the children's probes are looked at, and how long they may take.
LOOK_S = 2.0
#: What ends the parent, in order. A terminal that is closed is one of them, unless `nohup` said otherwise.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Parent:
    """`command` is what a child is started with; its number is appended."""

    def __init__(self, kind: shares.KindName, settings: Settings, count: int, command: Sequence[str]) -> None:
        self._kind, self._settings = kind, settings
        self._patience = patience(settings)
        self._stopping = asyncio.Event()
        #: Why all end, when it is not a signal.
        self._gave_up = 0
        # None of ours: it would look like a process that does nothing.
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._readiness = probes.Readiness(*(f"{kind} {number}" for number in range(1, count + 1)))
        self.children = [
            Child(number, [*command, "--number", str(number)], self._environment(number))
            for number in range(1, count + 1)
        ]

    def _environment(self, number: int) -> dict[str, str]:
        # Whatever else is in ours stays: secrets of the configuration are named there.
        return {**os.environ, **environment(shares.share(self._settings, self._kind, number))}

    async def run(self) -> int:
        """Until it is told to end, or a child says that there is no going on; the exit status. Raises `Stop`."""
        settings = self._settings
        served = await probes.serve(
            settings.metrics_host,
            getattr(settings, shares.KINDS[self._kind].port),
            self._registry,
            self._readiness,
        )
        log.info(f"probes of all: http://{settings.metrics_host}:{served.port}/readyz")
        loop = asyncio.get_running_loop()
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._stopping.set)
        keeping = [asyncio.create_task(self._keep(child)) for child in self.children]
        looking = asyncio.create_task(self._look())
        try:
            await self._stopping.wait()
            await self._end(keeping)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await served.close()
        return self._gave_up or together(child.ended_with for child in self.children)

    async def _keep(self, child: Child) -> None:
        """Start a child, and again whenever it has ended, until all are to end."""
        who = f"{self._kind} {child.number}"
        while not self._stopping.is_set():
            await child.run(lambda port: self._told(who, child, port))
            self._readiness.set(who, False, "not running")
            if self._stopping.is_set():
                return
            last = child.history[-1]
            verdict = judge(child.history, random.random())
            if isinstance(verdict, GiveUp):
                if not self._gave_up:
                    log.error(f"{who} {words(last.status)}, which no restart mends: all end", number=child.number)
                    self._gave_up = verdict.status
                self._stopping.set()
                return
            log.warning(
                f"{who} {words(last.status)}; it is started again in {verdict.seconds:.1f} s",
                number=child.number,
                lived=round(last.lived, 1),
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), verdict.seconds)

    def _told(self, who: str, child: Child, port: int) -> None:
        log.info(f"{who}: process {child.pid}, probes: http://{self._settings.metrics_host}:{port}/readyz")

    async def _end(self, keeping: list[asyncio.Task[None]]) -> None:
        """Tell all to end, wait as long as their grace lets them, then kill."""
        log.info("stopping: every process finishes what is under way")
        for child in self.children:
            child.end()
        _, late = await asyncio.wait(keeping, timeout=self._settings.grace / 1000 + CLOSING_S)
        for child in self.children if late else ():
            if child.pid:
                child.send(signal.SIGKILL)
                log.error(f"{self._kind} {child.number} did not end within its grace: it is killed")
        await asyncio.gather(*keeping)

    async def _look(self) -> None:
        """Ask every child how it is, again and again."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.metrics_host, self._settings.metrics_host)
        timeout = aiohttp.ClientTimeout(total=LOOK_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                begun = time.monotonic()
                await asyncio.sleep(LOOK_S)
                asked = time.monotonic()
                self._forgive(asked - begun - LOOK_S)
                lives = [child.life for child in self.children]
                found = await asyncio.gather(*(self._ask(session, host, child) for child in self.children))
                # It may also have stood still while they were asked, which takes no longer than a look.
                self._forgive(time.monotonic() - asked - LOOK_S)
                for child, life, why in zip(self.children, lives, found, strict=True):
                    # It may have ended, or been told to, while the others were waited for.
                    if why and child.life == life and not self._stopping.is_set():
                        self._judge(child, why)

    def _forgive(self, late: float) -> None:
        """Seconds for which this process stood still itself (a machine asleep, a container paused) are nobody's."""
        now = time.monotonic()
        for child in self.children if late > LOOK_S else ():
            child.well_at = min(now, child.well_at + late)
            child.answered_at = min(now, child.answered_at + late)

    async def _ask(self, session: aiohttp.ClientSession, host: str, child: Child) -> str:
        """Why the child is not well; empty when it is, or cannot be asked."""
        life, port = child.life, child.port
        if not port:
            return ""
        place = f"[{host}]" if ":" in host else host
        try:
            async with session.get(f"http://{place}:{port}/readyz") as answer:
                unmet = (await answer.json())["unmet"]
            answered = True
        except (TimeoutError, aiohttp.ClientError, ValueError, KeyError):
            unmet, answered = {"healthy": "no answer"}, False
        if child.life != life or self._stopping.is_set():
            return ""
        who = f"{self._kind} {child.number}"
        self._readiness.set(who, not unmet, "; ".join(f"{name}: {why}" for name, why in unmet.items()))
        now = time.monotonic()
        child.answered_at = now if answered else child.answered_at
        child.well_at = now if "healthy" not in unmet else child.well_at
        return str(unmet.get("healthy", ""))

    def _judge(self, child: Child, why: str) -> None:
        now = time.monotonic()
        if self._patience.is_over(now, child.well_at, child.answered_at):
            stuck = now - child.well_at
            # First of all: who reads the log may have stopped, which is why all stand still.
            child.send(signal.SIGKILL)
            child.well_at = child.answered_at = now
            log.error(f"{self._kind} {child.number} has been stuck for {stuck:.0f} s ({why}): it is killed")


def run(kind: shares.KindName, settings: Settings, count: int) -> int:
    """Run the command that this process was started with as `count` processes; the exit status. Raises `Stop`. Only
    from the main thread.
    """
    shares.check(settings, kind, count)
    logs.setup(settings.log_level, settings.log_format, f"{kind} parent")
    command = [sys.executable, *sys.orig_argv[1:]]
    return asyncio.run(_run(kind, settings, count, command))


async def _run(kind: shares.KindName, settings: Settings, count: int, command: Sequence[str]) -> int:
    return await Parent(kind, settings, count, command).run()
