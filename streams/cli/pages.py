"""The pages of `docs/`, made from the tables: `python -m streams.cli.pages [FOLDER]` writes them (`make docs`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge

from schemas import dead_letter, decision
from streams import kafka, metrics
from streams.attribution import events
from streams.config import reference
from streams.config.reference import table
from streams.settings import DEFAULT_FILE, PREFIX, Settings, duration_text, shown
from streams.templates import macros, modifiers

FOLDER = Path("docs")

MADE = "Made by `make docs` from {tables}; not edited by hand."


def _page(title: str, tables: str, introduction: str) -> list[str]:
    return [f"# {title}", "", MADE.format(tables=f"the table in `{tables}`"), "", introduction, ""]


def settings() -> Iterator[str]:
    """Every setting."""
    yield from _page(
        "Settings",
        "streams/settings.py",
        f"Each comes from the environment or from `{DEFAULT_FILE}` in the working directory (another file: `--config`\n"
        f"or `{PREFIX}CONFIG_FILE`); the environment wins. Durations are a number with a unit: `50ms`, `30s`, `5m`,\n"
        "`1h`, `2d`. `ringback settings` shows what is in force.",
    )
    defaults = Settings.model_construct()
    rows = (
        (f"`{name}`", f"`{PREFIX}{name.upper()}`", _code(shown(defaults, name)), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    yield from table(("in the file", "in the environment", "default", "meaning"), rows)


def metrics_() -> Iterator[str]:
    """Every metric."""
    yield from _page(
        "Metrics",
        "streams/metrics.py",
        "Prometheus, on `/metrics` of every process, in base units. Labels are bounded by the configuration: never a\n"
        "device. Next to them stand the client library's own (`process_…`, `python_…`).",
    )
    rows = (
        (f"`{metrics.PREFIX}{row.name}`", _kind(row), ", ".join(f"`{label}`" for label in row.labels), row.help)
        for row in metrics.rows()
    )
    yield from table(("metric", "kind", "labels", "meaning"), rows)


def _kind(row: metrics.Row[Any]) -> str:
    return "counter" if row.kind is Counter else "gauge" if row.kind is Gauge else "histogram"


def derived_events() -> Iterator[str]:
    """Every derived event, and the names that records may have."""
    yield from _page(
        "Events",
        "streams/attribution/events.py",
        "A postback fires on a *derived event*. `first` goes by the attribution of the device's first appearance,\n"
        "`current` by the one that lasts. `<name>` stands for the name of a custom event.",
    )
    rows = (
        (f"`{row.name}`", row.goes_by, ", ".join(sorted(row.platforms)), row.doc, row.source) for row in events.TABLE
    )
    yield from table(("event", "attribution", "platforms", "fires on", "the rule is from"), rows)
    yield from ("## Names of incoming events", "", "Every other name is a custom event.", "")
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
    yield from _page(
        "Macros",
        "streams/templates/{macros,modifiers}.py",
        "`{macro|modifier|modifier:argument}` in a URL, a parameter's value, a header or a body. A value is inserted\n"
        "once and encoded for the place where it stands; `{{` and `}}` are literal braces. *Attribution* macros are\n"
        "withheld by `supply_network_data: false`; *deferred* ones are filled in at each attempt.",
    )
    known = [*macros.MACROS.items(), *((f"{name}.<name>", macro) for name, macro in macros.FAMILIES.items())]
    rows = ((f"`{{{name}}}`", macros.KINDS[macro.kind], macro.level, macro.doc) for name, macro in known)
    yield from table(("macro", "kind", "level", "meaning"), rows)
    yield from ("## Modifiers", "", "Applied from left to right; a missing value passes through them.", "")
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
    yield from _page(
        "Topics",
        "streams/kafka.py",
        f"With the default `topic_prefix`, `{prefix}`; the sources name the input topics. `ringback topics create`\n"
        "makes what is missing. The worker keeps its state in a changelog, `<worker_id>-device-changelog`.",
    )
    inputs = "as the input topics"
    counts = {"input": inputs, "users": f"{inputs}, at most {kafka.MAX_USERS_PARTITIONS}", "one": "1"}
    rows = (
        (
            f"`{row.name}`",
            counts[row.count],
            "compacted" if row.retention is None else duration_text(row.retention),
            "append time" if row.append_time else "",
            "" if row.largest is None else f"{row.largest:,} bytes",
        )
        for row in kafka.topic_table(prefix)
    )
    yield from table(("topic", "partitions", "kept", "timestamps", "largest record"), rows)


def outcomes() -> Iterator[str]:
    """What can become of a record and of a candidate postback."""
    yield from _page(
        "Results and reasons",
        "schemas/{decision,dead_letter}.py",
        "What can become of an input record (`ringback_records_total`, which also counts `dead_letter`, and the\n"
        "decisions topic), why a postback gave no job (the decisions topic), and why something is a dead letter.",
    )
    for title, rows in (
        ("Results of a record", decision.RESULTS),
        ("Why there is no job", decision.NOES),
        ("Why there is a dead letter", dead_letter.REASONS),
    ):
        yield from (f"## {title}", "")
        yield from table(("", "meaning"), ((f"`{name}`", meaning) for name, meaning in rows.items()))


#: File name → its lines.
PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "configuration.md": reference.lines,
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
