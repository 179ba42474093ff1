"""The reference of the configuration, made from the tables: `python -m streams.config.reference >
docs/configuration.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from streams.attribution import events
from streams.config import shapes
from streams.config.models import DEVICE_KEYS, SECTIONS, Section
from streams.config.shapes import Shape

INTRODUCTION = """\
# Configuration

Made from the tables in `streams/config` and `streams/attribution/events.py` by `python -m streams.config.reference`;
not edited by hand.

A configuration is one YAML file or a directory of them (`*.yaml`, `*.yml`, not in folders below it); the lists of
several files are put together. `ringback plan DIR` shows what applying it would change, `ringback apply DIR` puts it
in force as a whole (removing needs `--prune`), and `ringback export DIR` reads back what is in force. All mistakes
are reported at once, as `file:line:column path message`.

* **Durations** are a number with a unit: `250ms`, `60s`, `10m`, `24h`, `30d`.
* **Texts** that look like a number, or begin with a brace, are written in quotes: `"007"`, `"{click_id}"`.
* **Secrets** are references, `${env:NAME}` or `${file:PATH}`; they are resolved only in the process that uses them.
* **Anchors**, aliases and `<<:` may be used to say a thing once. Tags are refused, and so is a key that stands twice.
* A file has at most 4 MiB, and one document.
"""

TITLES = {
    "sources": "The input topics. Without this section: `installs` (install) and `events` (event).",
    "apps": "The apps and the windows that their records are judged by.",
    "partners": "The partners, their names in the records, and how they want to be called.",
    "postbacks": "Which derived event becomes which request at which partner.",
}


def markdown() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    for name, section in SECTIONS.items():
        lines += [f"## {name}", "", TITLES[name], "", *_table(section)]
        for key, field in section.model_fields.items():
            inner = Shape.of_field(field).inner()
            if inner is not None:
                lines += [f"### {name} … {key}", "", *_table(inner)]
    lines += ["## Device keys", "", "The default of `device_key` by platform:", ""]
    lines += [f"* {platform}: {', '.join(f'`{name}`' for name in names)}" for platform, names in DEVICE_KEYS.items()]
    lines += ["", "## Derived events", "", *_events()]
    return "\n".join(lines) + "\n"


def _table(section: type[Section]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, field in section.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{key}` | {Shape.of_field(field).describe()} | {_default(section, key)} | {meaning} |"
    yield ""


def _default(section: type[Section], key: str) -> str:
    value = shapes.default(section, key)
    if value is shapes.REQUIRED:
        return "required"
    if value is None:
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _events() -> Iterator[str]:
    yield "| event | attribution | platforms | scope | fires on |"
    yield "|---|---|---|---|---|"
    for row in events.TABLE:
        platforms = ", ".join(sorted(row.platforms))
        yield f"| `{row.name}` | {row.goes_by} | {platforms} | {', '.join(row.scopes)} | {row.doc} |"


if __name__ == "__main__":
    print(markdown(), end="")
