"""The pages of docs/ are in step with the tables that they are made from."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from schemas import dead_letter, decision
from schemas.config import Endpoint
from schemas.job import Request
from streams import kafka, metrics
from streams.attribution import events
from streams.cli import pages
from streams.cli.introductions import ERRORS, JOBS
from streams.config.load import load_directory
from streams.config.models import SECTIONS
from streams.config.reference import BAR
from streams.delivery import settling
from streams.doctor.checks import CHECKS
from streams.settings import Settings
from streams.templates import macros, modifiers
from streams.templates.request import compile_request

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_page_is_in_step_with_the_tables(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages.text(name), "run: make docs"


ON_PAGE = {
    "configuration.md": [key for section in SECTIONS.values() for key in section.model_fields],
    "doctor.md": [check.name for check in CHECKS],
    "events.md": [*(row.name for row in events.TABLE), *events.RESERVED, *events.ALIASES],
    "macros.md": [f"{{{name}}}" for name in macros.MACROS],
    "metrics.md": [metrics.PREFIX + row.name for row in metrics.rows()],
    "outcomes.md": [*decision.RESULTS, *decision.NOES, *dead_letter.REASONS, *get_args(settling.Terminal)],
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


def errors_in(source: str) -> set[str]:
    """First words of the errors that a file makes an `Outcome(kind, status, error)` or `End(outcome, error)` with."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if not isinstance(node, ast.Call) or name not in ("Outcome", "End") or "ours" in ast.unparse(node.args[:1]):
            continue
        words = [one.value for one in ast.walk(node.args[-1]) if isinstance(one, ast.Constant)]
        found |= {word.partition(":")[0] for word in words if isinstance(word, str)}
    return found


def test_every_error_of_a_receipt_is_on_its_page() -> None:
    found = {word for file in (ROOT / "streams" / "delivery").rglob("*.py") for word in errors_in(file.read_text())}
    assert {"timeout", "tls", "unrenderable", "blocked", "shadow", "max_age"} <= found
    page = pages.text("outcomes.md")
    assert [word for word in sorted(found) if f"`{word}`" not in page] == []
    assert set(ERRORS) <= found
    assert list(JOBS) == list(get_args(settling.Terminal))


def test_the_example_of_a_body_becomes_what_is_said() -> None:
    values = {"revenue": 9.9, "params": {"level": 3}}
    said = pages.text("macros.md")
    examples = {
        '"{revenue|fixed:2}"': ("9.90", None),
        '"paid {revenue}"': ('"paid 9.9"', None),
        '"{params}"': ('{"level":3}', "an object"),
        '"{click_id}"': ("null", "`null`"),
    }
    for written, (becomes, told) in examples.items():
        endpoint = Endpoint(url="https://a.example/", method="POST", body={"{a}": json.loads(written)})
        rendered = compile_request(endpoint, {}).render(values)
        assert isinstance(rendered, Request)
        assert rendered.body == (f'{{"{{a}}":{becomes}}}',)
        assert (told or f"becomes `{becomes}`") in said
        assert rendered.headers == (("Content-Type", ("application/json",)),)


def test_everything_has_a_meaning() -> None:
    empty = [(name, line) for name in pages.PAGES for line in pages.text(name).splitlines() if line.endswith("|  |")]
    assert [line for name, line in empty if name not in ("events.md", "topics.md")] == []


def test_the_example_of_a_configuration_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", pages.text("configuration.md"), re.DOTALL | re.MULTILINE)
    (tmp_path / "example.yaml").write_text(example)
    assert [postback.id for postback in load_directory(tmp_path).postbacks] == ["acme-first-payment"]


def test_the_noes_that_the_level_nos_leaves_out_are_on_the_page() -> None:
    (row,) = [line for line in pages.text("outcomes.md").splitlines() if line.startswith("| `nos` |")]
    assert set(re.findall(r"`(\w+)`", row.partition("other than")[2])) == decision.QUIET


def test_headers_say_how_a_secret_stands_in_them() -> None:
    rows = [line for line in pages.text("configuration.md").splitlines() if line.startswith("| `headers` |")]
    assert ["${env:" in row for row in rows] == [True, True]


def test_the_examples_of_macros_become_what_is_said() -> None:
    values = {"click_id": "a b&c", "revenue": 9.9, "event_timestamp": 1_767_434_130_000, "google_aid": "A-1"}
    rows = re.findall(r"^\| `([^`]+=[^`]+)` \| `([^`]+)`(.*) \|$", pages.text("macros.md"), re.MULTILINE)
    assert len(rows) == 5
    for written, becomes, rest in rows:
        endpoint = Endpoint(url=f"https://a.example/?{written.replace(BAR, '|')}")
        rendered = compile_request(endpoint, {}).render(values)
        assert isinstance(rendered, Request)
        more = "[0-9a-f]{64}" if "64 hex digits" in rest else ""
        assert re.fullmatch(re.escape(f"https://a.example/?{becomes}") + more, "".join(map(str, rendered.url)))
