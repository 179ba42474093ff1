"""The files that editors, commits and the forge read are what those can read, and name what exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support import whitespace

ROOT = Path(__file__).parents[2]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".json", ".jsonl", ".svg", ".lock"}
ELEMENTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def hooks() -> list[dict[str, Any]]:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    found: list[dict[str, Any]] = repository["hooks"]
    return found


def test_hooks_come_from_the_checkout_and_not_from_the_network() -> None:
    assert {"ruff-check", "ruff-format", "mypy", "house", "whitespace"} <= {hook["id"] for hook in hooks()}
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks())


def test_the_files_that_hooks_name_exist() -> None:
    named = [word for hook in hooks() for word in re.findall(r"tests/\S+\.py|(?<=-m )tests\.\S+", hook["entry"])]
    files = [word if "/" in word else word.replace(".", "/") + ".py" for word in named]
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= form.keys()
    asked = [element for element in form["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in form["body"]} <= ELEMENTS
    assert all(element["attributes"]["label"] for element in asked)
    ids = [element["id"] for element in asked]
    assert len(set(ids)) == len(ids) > 1
    assert any(element.get("validations", {}).get("required") for element in asked)


def test_the_chooser_of_issues_can_be_read() -> None:
    assert load(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml").keys() <= {"blank_issues_enabled", "contact_links"}


@pytest.mark.parametrize("name", ["settings.json", "extensions.json"])
def test_editor_settings_are_json(name: str) -> None:
    assert json.loads((ROOT / ".vscode" / name).read_text())


def test_make_help_lists_every_target_that_is_for_people() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[0].split())
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    listed = dict(re.findall(r"^  make (\S+)\s+(\S.*)$", said, re.MULTILINE))
    assert listed.keys() == phony
    assert all(len(line) <= 120 for line in said.splitlines())


UNCLEAN = {
    b"a \nb\n": [(1, "whitespace at the end of the line")],
    b"a\r\n": [(1, "carriage return at the end of the line")],
    b"a\nb": [(2, "no line break at the end of the file")],
    b"a\n\n": [(2, "blank line at the end of the file")],
    b"<<<<<<< ours\n": [(1, "merge conflict")],
    b"a\n\nb\n": [],
    b"": [],
}


@pytest.mark.parametrize("text", UNCLEAN)
def test_what_is_unclean_is_found(text: bytes) -> None:
    assert list(whitespace.faults(text)) == UNCLEAN[text]


def test_our_files_are_clean() -> None:
    folders = ("streams", "schemas", "tests", "docs", "deploy", ".github", ".vscode")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    files += [path for suffix in SUFFIXES - {".json"} for path in ROOT.glob(f"*{suffix}")]
    assert len(files) > 100
    unclean = [f"{path.relative_to(ROOT)}:{each}" for path in files for each in whitespace.faults(path.read_bytes())]
    assert unclean == []
