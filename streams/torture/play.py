"""A torture run from its first moment to its last."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from schemas.config import Configuration
from schemas.receipt import Receipt
from streams import __version__, kafka
from streams.demo.interrupts import Interrupts
from streams.errors import Stop
from streams.local.guarded import GuardedProcess
from streams.local.reading import Reader
from streams.settings import Settings
from streams.torture import configuration, history, ledger, reading, schedule, verdict
from streams.torture.conductor import Conductor, left_out
from streams.torture.feed import Feed
from streams.torture.fleet import Fleet
from streams.torture.ledger import Ledger
from streams.torture.schedule import Counts
from streams.torture.site import HOST, Site

START_SECONDS = 30.0
END_SECONDS = 20.0
#: So long (seconds) no job may have ended at the end, while some wait.
STALLED_SECONDS = 90.0
#: Nobody listens there: the address of partners that are never called.
NOBODY = f"http://{HOST}:9"

Say = Callable[[str], None]

_receipt = msgspec.json.Decoder(Receipt).decode


class Options(NamedTuple):
    """`rate`: most records in a second; `waiting`: so many are kept ahead of the workers. `restart_broker`: a command
    of the shell, empty without one. `deliver`: run a sender at the end. `keep`: take nothing away.
    """

    seed: int
    counts: Counts
    rate: int
    waiting: int
    embedded: bool
    restart_broker: str
    deliver: bool
    keep: bool


class Run:
    """One run. `ledger` is kept up to date, also when `play` raises; `end` takes away what there is."""

    def __init__(self, options: Options, settings: Settings, interrupts: Interrupts, say: Say) -> None:
        self._options = options
        self._site = Site(settings, interrupts)
        self._fleet = Fleet(self._site)
        self._others: list[GuardedProcess] = []
        self._feed: Feed | None = None
        self._began = time.monotonic()
        self._say: Say = lambda text: say(f"{time.monotonic() - self._began:5.0f} s  {text}")
        self.ledger = Ledger(
            version=__version__, seed=options.seed, workers=options.counts.workers, partitions=settings.partitions
        )

    @property
    def folder(self) -> Path:
        """Where logs and state directories lie."""
        return self._site.folder

    @property
    def name(self) -> str:
        """What the names of its topics and groups begin with."""
        return self._site.name

    @property
    def started(self) -> bool:
        """There have been workers, so there is something to look at."""
        return bool(self._fleet.slots)

    def play(self) -> None:
        """All of it. Blocks for minutes; raises `Stop` and `Interrupted`."""
        options, site, account = self._options, self._site, self.ledger
        can_restart = bool(options.embedded or options.restart_broker)
        counts, account.left_out = left_out(options.counts, can_restart=can_restart)
        incidents = schedule.schedule(options.seed, counts)
        self._say(f"topics and groups of this run begin with {site.name}; its files lie in {site.folder}")
        if options.embedded:
            self._say("starting a broker")
            site.start_broker()
        text = configuration.text(site.ours, self._partner() if options.deliver else NOBODY)
        in_force = site.make(text)
        feed = self._feed = Feed(site.settings, history.history(options.seed), options.rate, options.waiting)
        conductor = Conductor(site, self._fleet, feed, account, options.restart_broker, self._say)
        feed.start()
        try:
            conductor.begin()
            conductor.play(incidents)
            self._say("no more records; the workers finish")
            conductor.drain()
        finally:
            self._note()
        self._judge(in_force)

    def _note(self) -> None:
        """What the fleet knows goes into the ledger."""
        account, fleet = self.ledger, self._fleet
        account.recovery = ledger.recovery(fleet.recoveries)
        account.ended_by_itself = {str(status): number for status, number in fleet.ended.items()}
        account.restart_loops = fleet.loops
        account.seconds = round(time.monotonic() - self._began, 1)

    def _judge(self, in_force: Configuration) -> None:
        site, account = self._site, self.ledger
        if self._options.deliver:
            self._others.append(site.start("sender", "streams.cli.main", "sender"))
        self._say("reading what the workers wrote, and what they must have written")
        check = site.interrupts.check
        reference = reading.wanted(site.settings, in_force, check)
        wanted, seen = reference.picture, reading.seen(site.settings, check)
        account.records, account.jobs = reference.records, len(wanted.jobs)
        account.states = sum(map(len, wanted.rows.values()))
        account.verdict = verdict.judged(wanted, seen)
        for line in account.verdict.lines:
            self._say(line)
        if self._options.deliver:
            self._say(f"a sender delivers {len(seen.jobs):,} jobs")
            self._deliver(len(seen.jobs))
            account.deliveries = verdict.delivered(wanted.jobs.keys(), self._requests())
        account.seconds = round(time.monotonic() - self._began, 1)

    # -- the partner and the sender

    def _partner(self) -> str:
        """Start a partner that takes everything; its address."""
        arguments = ("--port", "0", "--log", str(self._site.received))
        partner = self._site.start("partner", "streams.local.partner", *arguments)
        self._others.append(partner)
        deadline = time.monotonic() + START_SECONDS
        while not (told := partner.output()).endswith("\n"):
            if not partner.running or time.monotonic() > deadline:
                raise Stop(f"the partner did not start:\n{partner.log_tail()}")
            self._site.pause(0.1)
        return told.split()[0].rstrip("/")

    def _deliver(self, jobs: int) -> None:
        """Wait until so many jobs have ended, or none ends any more; then end sender and partner."""
        settings = self._site.settings
        ended: Counter[bytes] = Counter()
        topic = kafka.Topics(settings.topic_prefix).receipts
        moved = time.monotonic()
        with Reader(settings, [topic], check=self._site.interrupts.check) as reader:
            while len(ended) < jobs and time.monotonic() - moved < STALLED_SECONDS:
                before = len(ended)
                receipts = (_receipt(message.value() or b"") for message in reader.more())
                ended.update(bytes.fromhex(one.job_id) for one in receipts if one.kind == "terminal")
                if len(ended) > before:
                    moved = time.monotonic()
        for process in reversed(self._others):
            process.end(END_SECONDS)

    def _requests(self) -> list[str]:
        with self._site.received.open() as log:
            return [line.partition("\t")[0] for line in log]

    # -- the end

    def end(self, keep: bool) -> list[str]:
        """End every process and take away what was made; what could not be. Files and topics stay with `keep`. Blocks
        for seconds.
        """
        self._fleet.end()
        self._site.quit(self._others)
        if self._feed is not None:
            self._feed.abandon()
        return self._site.end(keep)
