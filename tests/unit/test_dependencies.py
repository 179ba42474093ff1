"""What is installed with Ringback is used, and pinned wherever it is installed from."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


#: Not imported by us: who imports it.
FOR_OTHERS = {"cramjam": "aiokafka, to read what producers have compressed"}


def plain(name: str) -> str:
    """The name of a distribution as lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> list[str]:
    return [plain(re.split(r"[<>=\[; ]", one)[0]) for one in requirements]


def pinned(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


@cache
def imported() -> set[str]:
    """The outermost names of all that our packages import anywhere."""
    found: set[str] = set()
    for package in ("schemas", "streams"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found |= {one.name.partition(".")[0] for one in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add((node.module or "").partition(".")[0])
    return found


owners_of_modules = cache(metadata.packages_distributions)


@pytest.mark.parametrize("name", names(PROJECT["dependencies"]))
def test_it_is_imported(name: str) -> None:
    modules = {module for module, owners in owners_of_modules().items() if name in map(plain, owners)}
    assert bool(modules & imported()) == (name not in FOR_OTHERS), f"who imports {name}?"


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/docker/runtime.lock"])
def test_the_lock_has_it(lock: str) -> None:
    assert set(names(PROJECT["dependencies"])) <= pinned(lock)


def test_the_image_has_nothing_that_developing_has_not() -> None:
    assert pinned("deploy/docker/runtime.lock") <= pinned("requirements.lock")
