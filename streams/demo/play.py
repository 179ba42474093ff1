"""The demo once its broker is there: configuration, traffic, the wait for the last job, and the verdict."""

from __future__ import annotations

import time
from collections import Counter

from schemas.config import Configuration
from streams import topics
from streams.broker import reach
from streams.config import apply
from streams.demo import expected, observed, progress, table, verdict
from streams.demo.configuration import write_configuration
from streams.demo.counts import counted
from streams.demo.options import Options
from streams.demo.progress import Display, Reading, Series
from streams.demo.simulator import Planned, plan
from streams.demo.stage import Stage
from streams.demo.traffic import Traffic
from streams.engine.output import Limits
from streams.engine.stages import users_source
from streams.local.reading import Reader

TICK_SECONDS = 0.05
SCRAPE_SECONDS = 0.5
REACH_SECONDS = 30.0
#: So long (seconds) nothing may have moved at the end: longer than any redelivery of the sample configuration waits.
STALLED_SECONDS = 90.0
#: The partner writes its log a moment after it has answered, and surely within so many seconds.
LOG_SECONDS = 5.0
RULES = "what the rules give in one plain loop over the same input"


class Demo:
    """One run on one stage."""

    def __init__(self, options: Options, stage: Stage, screen: Display) -> None:
        self._options, self._stage, self._screen = options, stage, screen
        self._last = Reading()
        self._first_delivered = False
        self._scraped = 0.0
        self._worker = Series("")
        self.configuration: Configuration
        self._planned: list[Planned] = []
        self._users = users_source(stage.settings)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._options.began

    # -- setting up

    def configure(self) -> None:
        """Topics and configuration; returns when worker and sender are ready. Blocks for seconds; raises `Stop`."""
        stage = self._stage
        write_configuration(stage.configuration, stage.address("partner"), stage.settings.topic_prefix)
        self.configuration = apply.load(stage.settings, stage.configuration)
        self._create_topics()
        apply.apply(stage.settings, stage.configuration)
        options = self._options
        # Made up while the others get ready; from here on time passes, so that none of them lies in the future.
        self._planned = list(plan(options.seed, options.seconds * options.rate, time.time_ns() // 1_000_000))
        for name in ("worker", "sender"):
            stage.wait_ready(name)
        self._screen.say(f"all are ready after {self._elapsed:.1f} s; the simulator begins")

    def _create_topics(self) -> None:
        settings = self._stage.settings
        admin = reach(settings, REACH_SECONDS)
        sources = self.configuration.sources
        wanted = topics.plan(sources, settings.topic_prefix, {}, settings.partitions, settings.worker_id)
        topics.create(admin, wanted.create, settings.replication)

    # -- playing

    def play(self) -> int:
        """Send the simulator's records at their rate; how many they were. Raises `Stop`."""
        rate, stage = self._options.rate, self._stage
        sources = {source.record: source.topic for source in self.configuration.sources}
        count = len(self._planned)
        traffic = Traffic(stage.settings, sources, iter(self._planned))
        started = time.monotonic()
        while traffic.sent < count:
            stage.check()
            traffic.send_up_to(min(count, int((time.monotonic() - started) * rate) + 1))
            self._look(f"the simulator has sent {traffic.sent:,} of {count:,} records")
            time.sleep(TICK_SECONDS)
        traffic.finish()
        return traffic.sent

    def drain(self, sent: int) -> None:
        """Wait until everything that was sent is decided and every job has ended, or nothing moves any more. Raises
        `Stop`.
        """
        ledger = self._ledger()
        state: object = None
        with Reader(self._stage.settings, ledger.topics, check=self._stage.check) as reader:
            moved = time.monotonic()
            while time.monotonic() - moved < STALLED_SECONDS:
                for message in reader.more():
                    ledger.take(message)
                now = time.time_ns() // 1_000_000
                waiting = ledger.waiting(now)
                note = progress.waited_for(self._unread(sent, ledger), ledger.held, waiting, now)
                self._look(note)
                now_at = (waiting.total, self._last.records, self._last.users, ledger.held)
                if now_at != state:
                    state, moved = now_at, time.monotonic()
                if not note and _at_rest(reader, ledger):
                    return
                time.sleep(TICK_SECONDS)
        self._screen.say(f"nothing has moved for {STALLED_SECONDS:.0f} s, still {note or 'busy'}")

    def _unread(self, sent: int, ledger: observed.Ledger) -> int:
        """Records that neither stage has processed yet."""
        return max(0, sent - self._last.records) + max(0, ledger.users - self._last.users)

    def _look(self, note: str) -> None:
        """Show the numbers anew, if that is due."""
        if time.monotonic() - self._scraped < SCRAPE_SECONDS:
            return
        # The sender first: none has ended then that the worker has not told of.
        sender, worker = (self._stage.ask(name, "/metrics") for name in ("sender", "worker"))
        if worker[0] == sender[0] == 200:
            self._worker = Series(worker[1])
            self._last = progress.reading(self._worker, Series(sender[1]), self._users.topic)
        if self._last.delivered and not self._first_delivered:
            self._first_delivered = True
            self._screen.say(f"first delivered postback after {self._elapsed:.1f} s")
        self._scraped = time.monotonic()
        self._screen.show(progress.line(self._elapsed, self._last), note)

    # -- judging

    def judge(self) -> bool:
        """Say what came out beside what must come out; whether both are the same. Raises `Stop`."""
        screen, settings = self._screen, self._stage.settings
        ledger = self._read()
        counts = ledger.counts
        screen.close()
        screen.say(progress.line(self._elapsed, self._last.at_last(counts)))
        check = self._stage.check
        records = observed.inputs(settings, self.configuration.sources, check)
        users = observed.inputs(settings, [self._users], check)
        limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
        wanted = expected.expected(self.configuration, records, settings.partitions, limits, users)
        found = verdict.judged(wanted, ledger.seen(self._requests(wanted)))
        screen.say("")
        screen.say(table.LEGEND)
        screen.say(table.table(wanted.counts, counts, screen.width))
        screen.say("")
        for one in found.differences:
            screen.say(one)
        if found.repeated:
            requests = counted(found.repeated, "request was", "requests were")
            screen.say(f"{requests} repeated, with the same id: a sender that stood still does so (docs/guarantees.md)")
        jobs = counted(counts.total("decided"), "job", "jobs")
        total = f"{counted(counts.records['read'], 'record', 'records')}, {jobs}"
        if found.differences:
            things = counted(len(found.differences), "thing is", "things are")
            screen.say(f"DIFFERENT: {total}; {things} not {RULES}")
        else:
            screen.say(f"EQUAL: {total}; every postback is {RULES}")
        return not found.differences

    def _read(self) -> observed.Ledger:
        """Everything that the topics and the worker tell."""
        ledger = self._ledger()
        with Reader(self._stage.settings, ledger.topics, check=self._stage.check) as reader:
            for message in reader.to_end(pending=True):
                ledger.take(message)
        names = ("duplicate", "too_late", "unknown_app")
        ledger.counts.records = {
            "read": self._records(),
            "dead_letter": ledger.dead_inputs,
            **{name: self._records(result=name) for name in names},
        }
        return ledger

    def _records(self, **labels: str) -> int:
        """The simulator's records that the worker has counted so."""
        told = self._worker.sum("records_total", source=self._users.topic, **labels)
        return self._worker.sum("records_total", **labels) - told

    def _ledger(self) -> observed.Ledger:
        return observed.Ledger(self._stage.settings, [postback.id for postback in self.configuration.postbacks])

    def _requests(self, wanted: expected.Outcome) -> list[verdict.Asked]:
        """The partner's log, when it has what it must have, or will not have it any more."""
        owed = verdict.owed(wanted)
        deadline = time.monotonic() + LOG_SECONDS
        while owed - Counter(requests := observed.requests(self._stage.received)) and time.monotonic() < deadline:
            self._stage.check()
            time.sleep(TICK_SECONDS)
        return requests


def _at_rest(reader: Reader, ledger: observed.Ledger) -> bool:
    """Whether nothing is held and no job waits, all records having been processed before. Blocks; raises `Stop`.

    Read to an end that is looked up now, twice: when the first reading finds nothing held any more, the jobs of what
    was held have been written before the second one begins.
    """
    for _ in range(2):
        for message in reader.to_end(pending=True):
            ledger.take(message)
        if ledger.held or ledger.waiting(0).total:
            return False
    return True
