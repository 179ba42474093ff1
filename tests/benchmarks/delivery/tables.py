"""How the suites of the sender are told: `python -m tests.benchmarks.delivery.tables FILE.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.benchmarks.tables import Column, Table, document_tables

_RESIDENT = Column("resident", "memory, MiB")
_OTHERS = Column("others", "others' CPU, %")
_WAITS = tuple(Column(name, name, ",.1f") for name in ("p50", "p99", "p99.9", "max"))

TABLES: dict[str, Table] = {
    "speed": Table(
        "Jobs that wait, sent as fast as can be",
        ("method", "latency", "contestant"),
        (
            Column("rate", "sends/s"),
            Column("cpu", "CPU s per 100,000", ".2f"),
            Column("loop", "of it event loop", ".2f"),
            Column("broker", "broker's CPU s", ".2f"),
            Column("target", "target's CPU s", ".2f"),
            _RESIDENT,
            Column("repeated", "sent again"),
            _OTHERS,
        ),
        "ringback",
        "ringback ÷ it",
    ),
    "scaling": Table(
        "Sender processes, each with a part of a core",
        ("processes",),
        (
            Column("rate", "sends/s"),
            Column("cpu", "CPU s per 100,000", ".2f"),
            Column("repeated", "sent again"),
            Column("cpu_broker", "broker's CPU, %"),
            Column("cpu_target", "target's CPU, %"),
            _OTHERS,
        ),
    ),
    "latency": Table(
        "From a job's append to its arrival, ms",
        ("rate",),
        (
            *_WAITS,
            Column("cpu_sender", "sender's CPU, %"),
            Column("cpu_broker", "broker's CPU, %"),
            Column("cpu_target", "target's CPU, %"),
            Column("cpu_others", "others' CPU, %"),
        ),
    ),
    "isolation": Table(
        "Partners that are well, beside some that hang",
        ("partners", "hanging"),
        (
            Column("rate", "arrivals/s", ",.1f"),
            Column("kept", "of it kept, %", ".1f"),
            *_WAITS,
            Column("p99_more", "p99 higher by, %", ".1f"),
            Column("missing", "not come"),
            Column("cpu_sender", "sender's CPU, %"),
            Column("cpu_others", "others' CPU, %"),
        ),
    ),
    "limits": Table(
        "One limit, two senders: requests a second",
        ("limit", "course"),
        (
            Column("rate", "arrivals/s", ".2f"),
            Column("error", "off by, %", ".1f"),
            Column("least", "slowest 10 s", ".1f"),
            Column("most", "fastest 10 s", ".1f"),
            Column("within_second", "most in 1 s"),
        ),
    ),
    "delay": Table(
        "Random delays: from due to arrival, ms",
        ("jobs", "scale"),
        (
            Column("early", "too early"),
            *_WAITS,
            Column("written", "times written", ".2f"),
            Column("written_most", "at most"),
            _RESIDENT,
            Column("resident_most", "at most, MiB"),
            Column("cpu_sender", "sender's CPU, %"),
        ),
    ),
    "backlog": Table(
        "A partner that was down, and the others beside it",
        ("backlog", "limit"),
        (
            Column("rate", "arrivals/s", ".1f"),
            Column("error", "off by, %", ".1f"),
            Column("least", "slowest 10 s", ".1f"),
            Column("most", "fastest 10 s", ".1f"),
            Column("silent", "s until the first", ".1f"),
            Column("arrived", "come", ".1%"),
            Column("repeated", "sent again"),
            Column("written", "times written", ".2f"),
            Column("planned", "planned", ".2f"),
            Column("anew", "times given", ".2f"),
            Column("written_most", "at most"),
            Column("reading", "s until read"),
            Column("resident", "at most, MiB"),
            Column("p50", "others' p50, ms", ".1f"),
            Column("p99", "others' p99, ms", ".1f"),
            Column("p99_more", "higher by, %", ".1f"),
            Column("p99_reading", "p99 while read, ms"),
        ),
    ),
}


def main() -> None:
    """Print the tables of each file named."""
    for name in sys.argv[1:]:
        print(document_tables(json.loads(Path(name).read_text()), TABLES))


if __name__ == "__main__":
    main()
