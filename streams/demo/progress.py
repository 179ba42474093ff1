"""How far the demo is: numbers from the probes of worker and sender, and the lines that show them."""

from __future__ import annotations

import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.text import Text

from streams.demo.counts import Counts, counted
from streams.demo.observed import Waiting
from streams.metrics import PREFIX

#: Off a terminal, a line in so many seconds.
PLAIN_SECONDS = 5.0
#: How a job ends, unless it expires.
ENDS = ("delivered", "failed", "suppressed")
#: What a page is wide that is no terminal.
PAGE = 80


class Reading(NamedTuple):
    """The numbers of one moment. `lag` in seconds, of worker or sender, whichever is longer. `users`: records that the
    user stage has processed.
    """

    records: int = 0
    decided: int = 0
    delivered: int = 0
    failed: int = 0
    suppressed: int = 0
    retried: int = 0
    lag: float = 0.0
    users: int = 0

    @property
    def waiting(self) -> int:
        return max(0, self.decided - self.delivered - self.failed - self.suppressed)

    def at_last(self, seen: Counts) -> Reading:
        """The same with the jobs as the topics tell of them: the sender counts one again that it must do again."""
        names = ("decided", "delivered", "failed", "suppressed", "retried")
        return self._replace(**{name: seen.total(name) for name in names})


class Series:
    """What `/metrics` of a process says."""

    def __init__(self, text: str) -> None:
        self._samples: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name.removeprefix(PREFIX)].append((sample.labels, sample.value))

    def values(self, name: str, **labels: str) -> Iterator[float]:
        """Each sample of a metric that has these labels."""
        for found, value in self._samples[name]:
            if labels.items() <= found.items():
                yield value

    def sum(self, name: str, **labels: str) -> int:
        return round(sum(self.values(name, **labels)))

    def largest(self, name: str) -> float:
        return max(self.values(name), default=0.0)


def reading(worker: Series, sender: Series, users: str) -> Reading:
    """The numbers that both processes tell. `users`: the users topic, whose records are not the simulator's."""
    told = worker.sum("records_total", source=users)
    ended = {name: sender.sum("postbacks_finished_total", outcome=name) for name in ENDS}
    return Reading(
        records=worker.sum("records_total") - told,
        decided=worker.sum("postbacks_decided_total"),
        **ended,
        retried=sender.sum("retries_total", reason="redelivery"),
        lag=max(worker.largest("lag_seconds"), sender.largest("lag_seconds")),
        users=told,
    )


def line(seconds: float, now: Reading) -> str:
    """The numbers in words."""
    words = (
        f"{counted(now.records, 'record', 'records')} in,",
        f"{counted(now.decided, 'job', 'jobs')}:",
        f"{now.delivered:,} delivered,",
        f"{now.failed:,} failed,",
        f"{now.suppressed:,} suppressed,",
        f"{now.waiting:,} waiting;",
        f"{now.retried:,} retried,",
        f"lag {now.lag:.1f} s",
    )
    return f"{seconds:.0f} s: {' '.join(word.replace(' ', chr(0xA0)) for word in words)}"


def waited_for(unread: int, held: int, jobs: Waiting, now: int) -> str:
    """What keeps the demo from its end, in words; empty when nothing does. `now` in ms."""
    words = []
    if unread:
        words.append(f"{counted(unread, 'record', 'records')} to be read")
    if held:
        words.append(f"{counted(held, 'record', 'records')} held for an install that may still come")
    if jobs.redeliveries:
        words.append(counted(jobs.redeliveries, "redelivery", "redeliveries"))
    if jobs.delayed:
        words.append(counted(jobs.delayed, "delayed postback", "delayed postbacks"))
    if jobs.to_send:
        words.append(counted(jobs.to_send, "postback", "postbacks") + " to be sent")
    if not words:
        return ""
    left = (jobs.last_due - now) / 1000
    due = f", the last due in {left:.0f} s" if left > 0 else ""
    return f"waiting for {', '.join(words)}{due}"


class Display(Protocol):
    """Where the demo speaks. `width` in columns."""

    @property
    def width(self) -> int: ...

    def say(self, text: str) -> None:
        """A sentence that stays."""

    def show(self, numbers: str, note: str = "") -> None:
        """How far it is; replaces what was shown before, where it can."""

    def close(self) -> None:
        """What is shown for the moment goes away."""


class Lines:
    """Off a terminal: plain lines, of the numbers one every few seconds."""

    width = PAGE

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def say(self, text: str) -> None:
        print(text.replace("\xa0", " "), flush=True)

    def show(self, numbers: str, note: str = "") -> None:
        if time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._shown = time.monotonic()
            self.say(f"{numbers}; {note}" if note else numbers)

    def close(self) -> None:
        pass


class Screen:
    """On a terminal: the numbers stand in the last lines, and what is said passes by above them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live: Live | None = None

    @property
    def width(self) -> int:
        return self._console.width

    def say(self, text: str) -> None:
        self._console.print(Text(self._wrapped(text)), soft_wrap=True)

    def show(self, numbers: str, note: str = "") -> None:
        if self._live is None:
            # No refreshing thread: the demo shows things when it has something to show.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        text = "\n".join(self._wrapped(part) for part in (numbers, note) if part)
        self._live.update(Text(text), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _wrapped(self, text: str) -> str:
        """Lines broken between words; those that are indented, since they are to be copied, are left as they are."""
        lines = (
            one if one.startswith(" ") else textwrap.fill(one, self.width, break_long_words=False)
            for one in text.split("\n")
        )
        return "\n".join(lines).replace("\xa0", " ")


def display() -> Display:
    """The one that suits standard output."""
    console = Console()
    return Screen() if sys.stdout.isatty() and not console.is_dumb_terminal else Lines()
