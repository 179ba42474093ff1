"""What a demo says while it runs."""

from __future__ import annotations

import textwrap

from prometheus_client import generate_latest

from streams.demo.counts import Counts
from streams.demo.observed import Waiting
from streams.demo.progress import Reading, Series, line, reading, waited_for
from streams.metrics import Metrics

NOW = 1_000_000


def test_the_numbers_are_those_of_the_processes() -> None:
    worker, sender = Metrics(), Metrics()
    worker.records_total.labels("installs", "processed").inc(3)
    worker.records_total.labels("events", "held").inc(2)
    worker.records_total.labels("ringback.users", "processed").inc(4)
    worker.records_held.set(2)
    worker.postbacks_decided_total.labels("app", "acme", "acme-install", "install").inc(1_234)
    worker.lag_seconds.labels("events", "0").set(1.26)
    for outcome, count in (("delivered", 1_000), ("failed", 34), ("suppressed", 9)):
        sender.postbacks_finished_total.labels("app", "acme", "acme-install", "install", outcome).inc(count)
    sender.retries_total.labels("acme", "redelivery").inc(7)
    sender.retries_total.labels("acme", "delay").inc(5)
    sender.lag_seconds.labels("delivery", "0").set(0.4)
    told = [Series(generate_latest(one.registry).decode()) for one in (worker, sender)]
    found = reading(*told, "ringback.users")
    assert found == Reading(5, 1_234, delivered=1_000, failed=34, suppressed=9, retried=7, lag=1.26, users=4)
    assert line(12.4, found).replace("\xa0", " ") == (
        "12 s: 5 records in, 1,234 jobs: 1,000 delivered, 34 failed, 9 suppressed, 191 waiting; 7 retried, lag 1.3 s"
    )


def test_a_line_is_broken_between_numbers_only() -> None:
    shown = line(112.4, Reading(1, 463, 429, 18, 16, 26, 0.04))
    assert [one.replace("\xa0", " ") for one in textwrap.wrap(shown, 40, break_long_words=False)] == [
        "112 s: 1 record in, 463 jobs:",
        "429 delivered, 18 failed, 16 suppressed,",
        "0 waiting; 26 retried, lag 0.0 s",
    ]


def test_at_last_the_topics_are_believed() -> None:
    """A sender that has lost its partitions counts twice what it does twice."""
    counts = Counts()
    for job in ("1", "2"):
        counts.decided("a", job)
        counts.ended("a", job, "delivered")
    counts.attempted("a", "2", 2)
    last = Reading(9, 2, delivered=3, failed=1, suppressed=1, retried=2, lag=0.5)
    assert last.at_last(counts) == Reading(9, 2, delivered=2, retried=1, lag=0.5)


def test_a_process_that_has_counted_nothing_yet_says_nothing() -> None:
    nothing = Series(generate_latest(Metrics().registry).decode())
    assert reading(nothing, nothing, "users") == Reading()


def test_what_is_waited_for_is_said_in_words() -> None:
    assert waited_for(0, 0, Waiting(), NOW) == ""
    assert waited_for(0, 0, Waiting(redeliveries=12, last_due=NOW + 18_000), NOW) == (
        "waiting for 12 redeliveries, the last due in 18 s"
    )
    assert waited_for(1, 2, Waiting(1, 1, 3, NOW - 1), NOW) == (
        "waiting for 1 record to be read, 2 records held for an install that may still come, 1 redelivery, "
        "1 delayed postback, 3 postbacks to be sent"
    )
