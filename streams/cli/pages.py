"""The pages of `docs/`, made from the tables: `python -m streams.cli.pages [FOLDER]` writes them (`make docs`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from prometheus_client import Counter, Gauge
from pydantic.fields import FieldInfo

from schemas import dead_letter, decision
from streams import kafka, metrics
from streams.attribution import events
from streams.cli.events import GOES_BY, listed
from streams.cli.introductions import ERRORS, INTRODUCTIONS, JOBS
from streams.config import reference
from streams.config.reference import table
from streams.doctor.checks import CHECKS
from streams.settings import PREFIX, Settings, duration_text, shown
from streams.templates import macros, modifiers

FOLDER = Path("docs")

MADE = "Made by `make docs` from {tables}; not edited by hand."


def _page(title: str, tables: str, name: str) -> list[str]:
    return [f"# {title}", "", MADE.format(tables=f"the table in `{tables}`"), "", INTRODUCTIONS[name]]


def settings() -> Iterator[str]:
    """Every setting."""
    yield from _page("Settings", "streams/settings.py", "settings.md")
    defaults = Settings.model_construct()
    rows = (
        (f"`{name}`", f"`{PREFIX}{name.upper()}`", _code(shown(defaults, name)), _meaning(field))
        for name, field in Settings.model_fields.items()
    )
    yield from table(("in the file", "in the environment", "default", "meaning"), rows)


def _meaning(field: FieldInfo) -> str:
    """What a setting is for, with its possible values where they are words."""
    words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    told = field.description or ""
    return f"{told.removesuffix('.')} ({', '.join(f'`{word}`' for word in words)})." if words else told


def metrics_() -> Iterator[str]:
    """Every metric."""
    yield from _page("Metrics", "streams/metrics.py", "metrics.md")
    rows = (
        (f"`{metrics.PREFIX}{row.name}`", _kind(row), ", ".join(f"`{label}`" for label in row.labels), row.help)
        for row in metrics.rows()
    )
    yield from table(("metric", "kind", "labels", "meaning"), rows)


def _kind(row: metrics.Row[Any]) -> str:
    return "counter" if row.kind is Counter else "gauge" if row.kind is Gauge else "histogram"


def derived_events() -> Iterator[str]:
    """Every derived event, and the names that records may have."""
    yield from _page("Events", "streams/attribution/events.py", "events.md")
    rows = [listed(row) for row in events.TABLE]
    sources = list(dict.fromkeys(row.source for row in rows))
    cells = (
        (
            f"`{row.name}`",
            f"`{row.family}`",
            row.scope,
            GOES_BY[row.name][1] if row.name in GOES_BY else row.attribution,
            row.platforms,
            row.meaning,
            str(sources.index(row.source) + 1),
        )
        for row in rows
    )
    header = ("derived event", "family", "scope", "attribution", "platforms", "fires on", "rule")
    yield from table(header, cells)
    yield from ("Where the rules are from:", "", *(f"{number}. {one}" for number, one in enumerate(sources, 1)), "")
    yield from ("## Names of incoming events", "", INTRODUCTIONS["names"])
    names = (
        (
            f"`{name}`",
            _codes(alias for alias, meant in events.ALIASES.items() if meant == name),
            "yes" if name in events.ACTIVITIES else "",
        )
        for name in sorted(events.RESERVED)
    )
    yield from table(("name", "also written", "activity"), names)


def templates() -> Iterator[str]:
    """Every macro and every modifier."""
    yield from _page("Macros", "streams/templates/{macros,modifiers}.py", "macros.md")
    known = [*macros.MACROS.items(), *((f"{name}.<name>", macro) for name, macro in macros.FAMILIES.items())]
    rows = ((f"`{{{name}}}`", macros.KINDS[macro.kind], macro.level, macro.doc) for name, macro in known)
    yield from table(("macro", "kind", "level", "meaning"), rows)
    yield from ("## Bodies", "", INTRODUCTIONS["bodies"])
    yield from ("## Modifiers", "", INTRODUCTIONS["modifiers"])
    modified = (
        (
            f"`{one.name}:{one.argument}`" if one.argument else f"`{one.name}`",
            macros.KINDS["any" if one.works_on == "text" else one.works_on],
            macros.KINDS[one.gives] if one.gives else "",
            one.doc,
        )
        for one in modifiers.MODIFIERS.values()
    )
    yield from table(("modifier", "works on", "gives", "meaning"), modified)


def topics() -> Iterator[str]:
    """Every topic of ours."""
    prefix = str(Settings.model_fields["topic_prefix"].default)
    yield from _page("Topics", "streams/kafka.py", "topics.md")
    inputs = "as the input topics"
    counts = {"input": inputs, "users": f"{inputs}, at most {kafka.MAX_USERS_PARTITIONS}", "one": "1"}
    rows = (
        (
            f"`{row.name}`",
            row.holds,
            counts[row.count],
            "compacted" if row.retention is None else duration_text(row.retention),
            "append time" if row.append_time else "",
            "" if row.largest is None else f"{row.largest:,} bytes",
        )
        for row in kafka.topic_table(prefix)
    )
    yield from table(("topic", "holds", "partitions", "kept", "timestamps", "largest record"), rows)


def outcomes() -> Iterator[str]:
    """What can become of a record, of a candidate postback and of a job."""
    yield from _page(
        "Results and reasons", "schemas/{decision,dead_letter}.py` and `streams/cli/introductions.py", "outcomes.md"
    )
    yield from _meanings("Results of a record", "result", decision.RESULTS)
    yield from _meanings("Why there is no job", "reason", decision.NOES)
    yield from ("## What becomes of a job", "", INTRODUCTIONS["jobs"])
    yield from table(("outcome", "meaning", "error"), ((f"`{name}`", *told) for name, told in JOBS.items()))
    yield from ("### Errors of an attempt", "", INTRODUCTIONS["errors"])
    yield from table(("error", "meaning"), ((f"`{name}`", meaning) for name, meaning in ERRORS.items()))
    yield from _meanings("Why there is a dead letter", "reason", dead_letter.REASONS)


def _meanings(title: str, header: str, rows: Mapping[str, str]) -> Iterator[str]:
    """A section with a table of words and what they mean."""
    yield from (f"## {title}", "")
    yield from table((header, "meaning"), ((f"`{name}`", meaning) for name, meaning in rows.items()))


def doctor() -> Iterator[str]:
    """Every check of `ringback doctor`."""
    yield from _page("Checks", "streams/doctor/checks.py", "doctor.md")
    rows = ((f"`{check.name}`", check.looks_at, check.remedy) for check in CHECKS)
    yield from table(("check", "looks at", "if it says nothing closer"), rows)


#: File name → its lines.
PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "configuration.md": reference.lines,
    "doctor.md": doctor,
    "events.md": derived_events,
    "macros.md": templates,
    "metrics.md": metrics_,
    "outcomes.md": outcomes,
    "settings.md": settings,
    "topics.md": topics,
}


def text(name: str) -> str:
    """A page as it stands in its file."""
    return "\n".join(PAGES[name]()).rstrip() + "\n"


def main() -> None:
    """Write every page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (folder / name).write_text(text(name), encoding="utf-8")
        print(folder / name)


def _code(value: str) -> str:
    return f"`{value}`" if value else ""


def _codes(values: Iterator[str]) -> str:
    return ", ".join(map(_code, values))


if __name__ == "__main__":
    main()
