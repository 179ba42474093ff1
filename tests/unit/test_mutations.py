"""The mutations can be applied, and the tests that must notice them are there. Whether they do is seen by running
`python -m tests.mutations`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutations.mutation import Mutation
from tests.mutations.table import MUTATIONS

ROOT = Path(__file__).parents[2]
ROWS = {f"S{number}" for number in range(1, 19)} | {f"D{number}" for number in range(1, 29)}


def test_every_fault_has_one():
    assert {mutation.row for mutation in MUTATIONS} == ROWS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.row} {mutation.without}")
def test_it_can_be_applied(mutation: Mutation):
    text = (ROOT / mutation.file).read_text()
    changed = mutation.applied(text)
    assert changed != text
    ast.parse(changed)


@pytest.mark.parametrize("name", sorted({test for mutation in MUTATIONS for test in mutation.tests}))
def test_the_test_is_there(name: str):
    file, _, rest = name.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    if rest:
        wanted = rest.partition("[")[0]
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        assert wanted in {function.name for function in functions}
