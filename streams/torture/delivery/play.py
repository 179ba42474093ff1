"""A run against the senders from its first moment to its last."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streams import __version__
from streams.demo.interrupts import Interrupts
from streams.errors import Stop
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from streams.torture import ledger
from streams.torture.delivery import partners, reading, schedule
from streams.torture.delivery.account import Account
from streams.torture.delivery.conductor import Performance
from streams.torture.delivery.fleet import Senders
from streams.torture.delivery.judging import judged
from streams.torture.delivery.load import Load
from streams.torture.delivery.orders import orders
from streams.torture.delivery.schedule import Counts
from streams.torture.site import Site

START_SECONDS = 30.0
END_SECONDS = 20.0

Say = Callable[[str], None]


class Options(NamedTuple):
    """`restart_broker`: a command of the shell, empty without one. `keep`: take nothing away."""

    seed: int
    counts: Counts
    jobs: int
    embedded: bool
    restart_broker: str
    keep: bool


class DeliveryRun:
    """One run. `ledger` is kept up to date, also when `play` raises; `end` takes away what there is."""

    def __init__(self, options: Options, settings: Settings, interrupts: Interrupts, say: Say) -> None:
        self._options = options
        self._site = Site(settings, interrupts)
        self._fleet = Senders(self._site)
        self._target: GuardedProcess | None = None
        self._load: Load | None = None
        self._began = time.monotonic()
        self._say: Say = lambda text: say(f"{time.monotonic() - self._began:5.0f} s  {text}")
        self.ledger = Account(
            version=__version__, seed=options.seed, workers=options.counts.senders, partitions=settings.partitions
        )

    @property
    def folder(self) -> Path:
        """Where logs and the configuration lie."""
        return self._site.folder

    @property
    def name(self) -> str:
        """What the names of its topics and groups begin with."""
        return self._site.name

    @property
    def started(self) -> bool:
        """There have been senders, so there is something to look at."""
        return bool(self._fleet.slots)

    def play(self) -> None:
        """All of it. Blocks for minutes; raises `Stop` and `Interrupted`."""
        options, site, account = self._options, self._site, self.ledger
        counts = options.counts
        if counts.broker_restarts and not (options.embedded or options.restart_broker):
            account.left_out = [f"{counts.broker_restarts} broker restarts: nobody says how (--restart-broker)"]
            counts = counts._replace(broker_restarts=0)
        part = options.jobs // (len(schedule.schedule(options.seed, counts, 0)) + 1)
        incidents = schedule.schedule(options.seed, counts, part)
        self._say(f"topics and groups of this run begin with {site.name}; its files lie in {site.folder}")
        if options.embedded:
            self._say("starting a broker")
            site.start_broker()
        url = self._start_target()
        in_force = site.make(partners.text(site.ours, url))
        ordered = orders(options.seed, options.jobs)
        load = self._load = Load(site.settings, ordered, part, url, in_force.generation, self._fleet.waiting)
        performance = Performance(site, self._fleet, load, account, options.restart_broker, self._say)
        try:
            performance.begin()
            performance.play(incidents)
            self._say("the last jobs; the senders finish")
            performance.drain()
        finally:
            self._note()
        self._judge(load)

    def _note(self) -> None:
        """What the fleet knows goes into the account."""
        account, fleet = self.ledger, self._fleet
        account.recovery = ledger.recovery(fleet.recoveries)
        account.ended_by_itself = {str(status): number for status, number in fleet.ended.items()}
        account.restart_loops, account.mishaps = fleet.loops, fleet.mishaps()
        account.seconds = round(time.monotonic() - self._began, 1)

    def _judge(self, load: Load) -> None:
        site, account = self._site, self.ledger
        self._say("reading what the senders wrote, and what the partners received")
        if self._target is not None:
            self._target.end(END_SECONDS)
        written = reading.written(site.settings, site.interrupts.check)
        received = [*reading.arrivals(site.received)]
        found = account.judgement = judged(load.due, received, written, account.spans, "limited")
        account.jobs, account.records = len(load.due), found.requests
        for line in found.lines:
            self._say(line)
        account.seconds = round(time.monotonic() - self._began, 1)

    def _start_target(self) -> str:
        """Start the partners; their address."""
        arguments = ("--log", str(self._site.received), "--seed", str(self._options.seed))
        target = self._target = self._site.start("partners", "streams.torture.delivery.target", *arguments)
        deadline = time.monotonic() + START_SECONDS
        while not (told := target.output()).endswith("\n"):
            if not target.running or time.monotonic() > deadline:
                raise Stop(f"the partners did not start:\n{target.log_tail()}")
            self._site.pause(0.1)
        return told.split()[0].rstrip("/")

    def end(self, keep: bool) -> list[str]:
        """End every process and take away what was made; what could not be. Files and topics stay with `keep`. Blocks
        for seconds.
        """
        self._fleet.end()
        self._site.quit([self._target] if self._target is not None else [])
        if self._load is not None:
            self._load.abandon()
        return self._site.end(keep)
