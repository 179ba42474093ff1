"""The pages of `docs/coming-from`: their tables, configurations and examples, and what is wrong with them.

A page has one `yaml` block, which is a whole configuration. Where a `json` block (records, one a line) is followed by a
`text` block, the latter holds the requests that these records lead to under that configuration; `filled` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from schemas.config import Configuration, Endpoint
from schemas.record import Event, Install
from streams.attribution import events
from streams.config.load import load_directory
from streams.config.models import SECTIONS, Section
from streams.config.shapes import Shape
from streams.templates.errors import TemplateErrors
from streams.templates.request import compile_request
from tests.examples import story

FOLDER = Path(__file__).parents[2] / "docs" / "coming-from"

CODE = re.compile(r"`([^`\n]+)`")
SHOWN = re.compile(r"(^```json\n(.*?)^```\n\n[^`]*?^```text\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)
PLACEHOLDER = "{name}"


class Table(NamedTuple):
    """A table of a page: the words of its header, and its cells."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Page(NamedTuple):
    """A page by its file's name."""

    name: str
    text: str

    def blocks(self, language: str) -> list[str]:
        """What stands in its fenced blocks of a language."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)

    def tables(self) -> Iterator[Table]:
        """Its tables."""
        for block in re.findall(r"(?:^\|.*\n)+", re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.M), re.M):
            lines = [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in block.splitlines()]
            yield Table(lines[0], lines[2:])

    def configuration(self) -> Configuration:
        """Its configuration, by the ordinary way. Raises `ConfigurationErrors`."""
        with TemporaryDirectory() as folder:
            (Path(folder) / self.name.replace(".md", ".yaml")).write_text(self.blocks("yaml")[0])
            return load_directory(folder)


def pages() -> list[Page]:
    """Every page about a form."""
    return [Page(path.name, path.read_text()) for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"]


def codes(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return [code.replace("\\|", "|") for code in CODE.findall(cell)]


def problems(page: Page) -> list[str]:
    """What a reader would stumble over: words in the tables that the reference does not know, keys that the page's own
    configuration does not show, examples that are out of step.
    """
    if len(page.blocks("yaml")) != 1:
        return [f"{len(page.blocks('yaml'))} configurations"]
    shown = shown_keys(page)
    found: list[str] = []
    for table in page.tables():
        check = _COLUMNS.get(table.header[1])
        if check is None:
            found.append(f"a table with an unknown column {table.header[1]!r}")
            continue
        said = [code for row in table.rows for code in codes(row[1])]
        found += [f"{code}: no such thing as {table.header[1]}" for code in said if not check(code)]
        if table.header[1] == "our key":
            found += [f"{code} is not in the configuration" for code in said if check(code) and code not in shown]
    found += [f"{code}: no such macro" for code in _macros_said(page) if not is_macro(code)]
    found += [] if filled(page) == page.text else ["what goes out is out of step: python -m tests.examples"]
    return found


def _macros_said(page: Page) -> Iterator[str]:
    """Everything in the page's own words that looks like a macro, but for their side of a table."""
    theirs = {code for table in page.tables() for row in table.rows for code in codes(row[0])}
    prose = re.sub(r"^```.*?^```$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    for code in codes(prose):
        if re.fullmatch(r"\{[^<>]*\}", code) and code != PLACEHOLDER and code not in theirs:
            yield code


def shown_keys(page: Page) -> set[str]:
    """The dotted keys that the page's configuration has."""
    return set(keys_of(YAML(typ="safe").load(page.blocks("yaml")[0])))


def keys_of(read: dict[str, Any]) -> Iterator[str]:
    """The dotted keys that a configuration as read from YAML has: `partners.templates.url`."""
    for section, items in read.items():
        for item in items:
            yield from _keys(SECTIONS[section], item, section)


def _keys(section: type[Section], item: dict[str, Any], path: str) -> Iterator[str]:
    for key, value in item.items():
        yield f"{path}.{key}"
        inner = Shape.of_field(section.model_fields[key]).inner()
        if inner is not None:
            for each in value.values() if isinstance(value, dict) else value:
                yield from _keys(inner, each, f"{path}.{key}")


@cache
def known_keys() -> frozenset[str]:
    """Every dotted key that a configuration can have."""
    return frozenset(key for name, section in SECTIONS.items() for key in _all_keys(section, name))


def _all_keys(section: type[Section], path: str) -> Iterator[str]:
    for key, field in section.model_fields.items():
        yield f"{path}.{key}"
        inner = Shape.of_field(field).inner()
        if inner is not None:
            yield from _all_keys(inner, f"{path}.{key}")


def is_macro(code: str) -> bool:
    """Whether it compiles, given that the partner has such a field."""
    fields = dict.fromkeys(re.findall(r"\{partner\.(\w+)", code), "x")
    try:
        compile_request(Endpoint(url=f"https://partner.example/?value={code}"), fields)
    except TemplateErrors:
        return False
    return code.startswith("{")


#: What may stand as code in the second column of a table, by the header of that column.
_COLUMNS = {
    "our key": lambda code: code in known_keys(),
    "our event": lambda code: events.parse(code) is not None,
    "ours": is_macro,
    "our field": lambda code: code in Install.__struct_fields__ or code in Event.__struct_fields__,
}


def fires_on(configuration: Configuration) -> set[str]:
    """The names of the rows of the table of derived events that its postbacks fire on."""
    named = (events.parse(one.match_event or one.event) for one in configuration.postbacks)
    return {row.name for row in named if row is not None}


def filled(page: Page) -> str:
    """The page's text with what goes out computed anew."""
    configuration = page.configuration() if SHOWN.search(page.text) else None

    def computed(match: re.Match[str]) -> str:
        assert configuration is not None
        records = [json.loads(line) for line in match[2].splitlines()]
        return match[1] + "".join(f"{line}\n" for line in goes_out(configuration, records)) + match[4]

    return SHOWN.sub(computed, page.text)


def goes_out(configuration: Configuration, records: list[dict[str, Any]]) -> Iterator[str]:
    """The requests that records lead to, as people read them; paused and shadowed postbacks send none."""
    for told in story.told(configuration, records):
        for job in told.jobs:
            if not job.shadow:
                request = story.sent(job)
                yield f"{job.postback_id}: {request.method} {request.url}"
                yield from (f"    {name}: {value}" for name, value in request.headers)
                if request.body is not None:
                    yield f"    {request.body.decode()}"
