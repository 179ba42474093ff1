"""Every rule names tests, and every test that is named exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.unit.rules import RULES, Rule

ROOT = Path(__file__).parents[2]


def file_of(name: str) -> Path:
    """The file of a test's name, see `rules`."""
    if name.startswith("tests/"):
        return ROOT / name
    folder, _, file = name.rpartition("/")
    return ROOT / "tests" / "unit" / (folder or "attribution") / f"test_{file}.py"


@cache
def defined_in(path: Path) -> frozenset[str]:
    return (
        frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.M)) if path.exists() else frozenset()
    )


@pytest.mark.parametrize("section", RULES)
def test_every_rule_is_proved_by_tests_that_exist(section: str) -> None:
    missing = [
        f"{one.sentence} {named}"
        for one in RULES[section]
        for named in one.tests
        if named.partition("::")[2] not in defined_in(file_of(named.partition("::")[0]))
    ]
    assert missing == []
    assert all(one.tests for one in RULES[section])


def test_no_sentence_stands_twice() -> None:
    sentences = [one.sentence for rules in RULES.values() for one in rules]
    assert len(sentences) == len(set(sentences))


def test_a_test_that_does_not_exist_is_found() -> None:
    one = Rule("x", ("late::test_it_opens_no_attribution", "late::test_nothing_of_the_kind", "nowhere::test_x"))
    found = [named.partition("::")[2] in defined_in(file_of(named.partition("::")[0])) for named in one.tests]
    assert found == [True, False, False]
