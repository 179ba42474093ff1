"""The tables for the docs, in Markdown, of what `make bench` wrote: `python -m tests.benchmarks.tables FILE.json`.

Pure but for reading the file. Runs of the same thing are rounds: told are medians, and how far the rounds lie apart.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A figure: its key among what was measured, its heading, and how it is written."""

    key: str
    heading: str
    form: str = ",.0f"


class Table(NamedTuple):
    """How a suite is told: what its rows are of, its figures, and the ratios of rates and of processor times to those
    of one row: the one whose value of the last of `rows` is `against`, the others being equal. `ratio` is the heading.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    against: Any = None
    ratio: str = ""

    @property
    def cpu(self) -> str:
        """The heading turned round: of processor time less is better."""
        return " ÷ ".join(reversed(self.ratio.split(" ÷ ")))


_RATE = Column("rate", "records/s")
_CPU = Column("cpu", "CPU s per 100,000", ".2f")
_BROKER = Column("broker", "broker's CPU s", ".2f")
_RESIDENT = Column("resident", "memory, MiB")
_OTHERS = Column("others", "others' CPU, %")

TABLES: dict[str, Table] = {
    "race": Table(
        "Read state, decide, one job per record, write state",
        ("contestant",),
        (_RATE, _CPU, _BROKER, _RESIDENT, _OTHERS),
        "worker",
        "worker ÷ it",
    ),
    "full": Table(
        "One stage, and two", ("workload",), (_RATE, _CPU, _BROKER, _RESIDENT, _OTHERS), "plain", "plain ÷ it"
    ),
    "codecs": Table("Codecs", ("codec", "contestant"), (_RATE, _CPU, _BROKER, _OTHERS), "worker", "worker ÷ it"),
    "postbacks": Table(
        "The whole vocabulary, by the number of postbacks",
        ("postbacks",),
        (_RATE, Column("jobs", "jobs per record", ".2f"), _CPU, _RESIDENT, _OTHERS),
        1,
        "one ÷ it",
    ),
    "devices": Table(
        "By the number of devices",
        ("devices",),
        (_RATE, _CPU, _RESIDENT, Column("state", "state, MiB"), _OTHERS),
    ),
    "processes": Table("Processes", ("processes",), (_RATE, _CPU, _BROKER, _RESIDENT, _OTHERS), 1, "one ÷ it"),
    "latency": Table(
        "From a record's append to its job's, ms",
        ("workload", "codec", "rate"),
        (
            *(Column(name, name) for name in ("p50", "p99", "p99.9", "max")),
            Column("cpu_worker", "worker's CPU, %"),
            Column("cpu_broker", "broker's CPU, %"),
            Column("cpu_others", "others' CPU, %"),
        ),
    ),
    "memory": Table("Memory before a backlog", ("process", "tenth"), (_RESIDENT,)),
    "scale": Table("Very many devices", ("devices", "part"), (_RATE, _RESIDENT)),
    "recovery": Table("Recovery", ("partitions",), (Column("rate", "changelog records/s"), _RESIDENT)),
}


class Row(NamedTuple):
    """What it is of, the median of each figure over the rounds (None: not measured), and how many rounds; `apart`: by
    how much of the median the rates of the rounds differ.
    """

    what: tuple[Any, ...]
    medians: dict[str, float | None]
    rounds: int
    apart: float


def rows(runs: Iterable[Mapping[str, Any]], table: Table) -> list[Row]:
    """A row for each thing measured, in the order of its first run."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault(tuple(run["what"][name] for name in table.rows), []).append(run["measured"])
    return [_row(what, measured, table) for what, measured in found.items()]


def _row(what: tuple[Any, ...], measured: Sequence[Mapping[str, Any]], table: Table) -> Row:
    medians: dict[str, float | None] = {}
    for column in table.columns:
        values = [one[column.key] for one in measured if one.get(column.key) is not None]
        medians[column.key] = statistics.median(values) if values else None
    rates = [one["rate"] for one in measured if one.get("rate")]
    apart = (max(rates) - min(rates)) / statistics.median(rates) if rates else 0.0
    return Row(what, medians, len(measured), apart)


def markdown(table: Table, runs: Iterable[Mapping[str, Any]]) -> str:
    """A suite's table; empty without runs."""
    found = rows(runs, table)
    if not found:
        return ""
    rated = any(column.key == "rate" for column in table.columns)
    headings = [*table.rows, *(column.heading for column in table.columns)]
    headings += [table.ratio, f"CPU, {table.cpu}"] if table.ratio else []
    headings += ["rounds apart by"] if rated else []
    lines = [headings, [*("---" for _ in table.rows), *("---:" for _ in headings[len(table.rows) :])]]
    for row in found:
        cells = [_named(value) for value in row.what]
        cells += [_written(row.medians[column.key], column.form) for column in table.columns]
        if table.ratio:
            rate, cpu = _ratio(found, row, table, "rate"), _ratio(found, row, table, "cpu")
            cells += [_written(rate, ".2f"), _written(1 / cpu if cpu else None, ".2f")]
        lines.append(cells + ([f"{row.apart:.0%}"] if rated else []))
    return f"**{table.title}**\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _ratio(found: Sequence[Row], row: Row, table: Table, key: str) -> float | None:
    baseline = next((one for one in found if one.what == (*row.what[:-1], table.against)), None)
    own = row.medians[key]
    over = None if baseline is None else baseline.medians[key]
    return over / own if over and own else None


def _named(value: Any) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _written(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def described(document: Mapping[str, Any]) -> str:
    """One line: on what, when and with which versions."""
    on = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in on["packages"].items() if name != "ringback")
    return (
        f"Measured {on['at'][:10]} at revision {on['revision']}: {on['cores']} cores ({on['cpu']}), "
        f"{on['memory_gib']} GiB, {on['system']}, Python {on['python']}, {versions}.\n"
    )


def document_tables(document: Mapping[str, Any], known: Mapping[str, Table] = TABLES) -> str:
    """All of a file. `known`: by suite."""
    names = dict.fromkeys(run["suite"] for run in document["runs"])
    parts = [described(document)]
    for name in names:
        of = [run for run in document["runs"] if run["suite"] == name]
        if name in known:
            parts.append(markdown(known[name], of))
        else:
            parts.append(f"**{name}**\n\n```json\n{json.dumps([one['measured'] for one in of], indent=1)}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Print the tables of each file named."""
    for name in sys.argv[1:]:
        print(document_tables(json.loads(Path(name).read_text())))


if __name__ == "__main__":
    main()
