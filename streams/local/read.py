"""What lies in a topic, for people: `python -m streams.local.read ringback.receipts kind attempt outcome`.

Reads what is committed, from the beginning to the end as it is now, in the order of the records' timestamps, and
belongs to no consumer group. Without fields each value is a line as it is. With fields the values must be JSON objects,
and these fields of theirs (dots go into objects) become columns; a list gives a row for each of its items, and times
become times of day in UTC. A field that no record has is told on standard error.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from streams import broker
from streams.errors import RUNTIME, Stop
from streams.local.reading import Reader
from streams.settings import Settings, load

#: For so long (seconds) Kafka may be away.
REACH_SECONDS = 10.0
#: The fields of our records that are times, in milliseconds.
TIMES = frozenset({"at", "next_at", "appended", "decided_at", "due_at"})


class Record(NamedTuple):
    """A record that has a value; `timestamp` in ms. Sorts as it is shown."""

    timestamp: int
    partition: int
    offset: int
    value: bytes


def read(settings: Settings, topic: str) -> list[Record]:
    """Every committed record of `topic` with a value, in the order of their timestamps; blocks. Raises `Stop`."""
    # What is wrong with Kafka is told once and in words; the client says it ten times a second.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    broker.reach(settings, REACH_SECONDS, _say)
    with Reader(settings, [topic]) as reader:
        return sorted(
            Record(message.timestamp()[1], message.partition() or 0, message.offset() or 0, value)
            for message in reader.to_end()
            if (value := message.value())
        )


def columns(values: Sequence[bytes], fields: Sequence[str]) -> str:
    """A table of these fields; `-` where a value does not have one."""
    rows = [list(fields)]
    for value in map(json.loads, values):
        rows += [[_cell(row, field) for field in fields] for row in _spread(value, fields)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def absent(values: Sequence[bytes], fields: Sequence[str]) -> list[str]:
    """A line for each of these fields that no value has, with the one that may be meant; none when there are no
    values.
    """
    known = dict.fromkeys(name for value in values for name in _names(json.loads(value)))
    lines = []
    for field in (field for field in fields if known and field not in known):
        near = difflib.get_close_matches(field, known, n=1)
        lines.append(f"no record has a field {field}" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def _names(value: Any, before: str = "") -> Iterator[str]:
    """The name of every field in `value` at whatever depth, those in objects and in lists of objects with dots."""
    if isinstance(value, list):
        for item in value:
            yield from _names(item, before)
    elif isinstance(value, dict):
        for name, inside in value.items():
            yield before + name
            yield from _names(inside, f"{before}{name}.")


def _spread(value: Any, fields: Sequence[str]) -> list[Any]:
    """A row for each item of the first list that a dotted field goes into; otherwise the value alone."""
    for name in (field.partition(".")[0] for field in fields if "." in field):
        if isinstance(value.get(name), list):
            return [value | {name: item} for item in value[name] or [None]]
    return [value]


def _cell(value: Any, field: str) -> str:
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if field in TIMES and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%H:%M:%S")
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Show a topic."""
    parser = argparse.ArgumentParser(prog="python -m streams.local.read", description="Show what lies in a topic.")
    parser.add_argument("topic", help="its whole name, such as ringback.receipts")
    parser.add_argument("field", nargs="*", help="show only these fields, as columns")
    given = parser.parse_args(arguments)
    try:
        values = [record.value for record in read(load(), given.topic)]
        if given.field:
            print(columns(values, given.field))
            for line in absent(values, given.field):
                _say(line)
        else:
            print(*(value.decode(errors="replace") for value in values), sep="\n", end="\n" if values else "")
    except Stop as stop:
        _say("\n  → ".join(filter(None, [stop.message, stop.remedy])))
        return stop.exit_code
    except ValueError as error:
        _say(f"{given.topic} does not hold JSON objects: {error}")
        return RUNTIME
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
