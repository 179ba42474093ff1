"""The pages of docs/ are in step with the tables that they are made from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas import dead_letter, decision
from streams import kafka, metrics
from streams.attribution import events
from streams.cli import pages
from streams.config.models import SECTIONS
from streams.settings import Settings
from streams.templates import macros, modifiers

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_page_is_in_step_with_the_tables(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages.text(name), "run: make docs"


ON_PAGE = {
    "configuration.md": [key for section in SECTIONS.values() for key in section.model_fields],
    "events.md": [*(row.name for row in events.TABLE), *events.RESERVED, *events.ALIASES],
    "macros.md": [f"{{{name}}}" for name in macros.MACROS],
    "metrics.md": [metrics.PREFIX + row.name for row in metrics.rows()],
    "outcomes.md": [*decision.RESULTS, *decision.NOES, *dead_letter.REASONS],
    "settings.md": [name for key in Settings.model_fields for name in (key, f"RINGBACK_{key.upper()}")],
    "topics.md": [row.name for row in kafka.topic_table("ringback.")],
}


@pytest.mark.parametrize("name", pages.PAGES)
def test_everything_in_the_tables_is_on_its_page(name: str) -> None:
    page = pages.text(name)
    assert [entry for entry in ON_PAGE[name] if f"`{entry}`" not in page] == []


def test_every_modifier_is_on_the_page_of_macros() -> None:
    page = pages.text("macros.md")
    assert [name for name in modifiers.MODIFIERS if not re.search(rf"^\| `{name}[:`]", page, re.MULTILINE)] == []


def test_everything_has_a_meaning() -> None:
    empty = [(name, line) for name in pages.PAGES for line in pages.text(name).splitlines() if line.endswith("|  |")]
    assert [line for name, line in empty if name not in ("events.md", "topics.md")] == []


def test_links_between_the_pages_lead_somewhere() -> None:
    for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
