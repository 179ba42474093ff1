"""Reads a source tree without importing it, and finds what the rules of the house forbid. The rules themselves are data
of the caller.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Bounds:
    """The largest shapes allowed, in lines and levels. A docstring does not count."""

    file: int
    function: int
    nesting: int


@dataclass(frozen=True)
class Module:
    """A module of ours: its dotted name, its file below the root, and its syntax tree."""

    name: str
    file: str
    lines: int
    tree: ast.Module

    def imports(self) -> frozenset[str]:
        """The dotted names that it imports anywhere, with what it takes from them."""
        return frozenset(self._imports())

    def _imports(self) -> Iterator[str]:
        package = self.name.split(".") if self.file.endswith("__init__.py") else self.name.split(".")[:-1]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                origin = ".".join([*base, *([node.module] if node.module else [])])
                yield origin
                yield from (f"{origin}.{alias.name}" for alias in node.names)


def modules(root: Path, packages: Collection[str]) -> dict[str, Module]:
    """Every module of `packages` below `root`, by name."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            file = path.relative_to(root).as_posix()
            name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            text = path.read_text()
            found[name] = Module(name, file, len(text.splitlines()), ast.parse(text))
    return found


def within(name: str, places: Collection[str]) -> bool:
    """Whether the dotted `name` is one of `places` or lies in one."""
    return any(name == place or name.startswith(place + ".") for place in places)


def impure(tree: Mapping[str, Module], pure: Collection[str], shell: Collection[str]) -> list[str]:
    """The pure modules that import a library of the shell."""
    return [
        f"{module.file}: a pure module imports {', '.join(found)}"
        for module in tree.values()
        if within(module.name, pure)
        and (found := sorted({name.split(".")[0] for name in module.imports()} & set(shell)))
    ]


def out_of_room(tree: Mapping[str, Module], rooms: Mapping[str, Collection[str]]) -> list[str]:
    """The imports of ours that no row allows. The row with the longest name that a module lies in holds; its own room
    is allowed.
    """
    rows = sorted(rooms, key=len, reverse=True)
    found = []
    for module in tree.values():
        row = next((row for row in rows if within(module.name, [row])), None)
        if row is None:
            found.append(f"{module.file}: lies in no room")
            continue
        foreign = {name for name in module.imports() if name in tree and not within(name, [row, *rooms[row]])}
        # `from streams import kafka` imports the package as well; that every module does.
        found += [
            f"{module.file}: {row} may not import {name}"
            for name in sorted(foreign - {name.split(".")[0] for name in tree})
        ]
    return found


def circle(tree: Mapping[str, Module]) -> list[str]:
    """The modules of one import circle in order, if there is any."""
    graph = {
        name: {each for each in module.imports() if each in tree and each != name} for name, module in tree.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def out_of_shape(tree: Mapping[str, Module], bounds: Bounds) -> list[str]:
    """Files and functions that are too long, and functions that are nested too deep."""
    found = []
    for module in tree.values():
        if module.lines > bounds.file:
            found.append(f"{module.file}: {module.lines} lines")
        for function in (node for node in ast.walk(module.tree) if isinstance(node, FUNCTIONS)):
            place = f"{module.file}:{function.lineno} {function.name}"
            if (length := length_of(function)) > bounds.function:
                found.append(f"{place}: {length} lines")
            if (depth := depth_of(function)) > bounds.nesting:
                found.append(f"{place}: nested {depth} deep")
    return found


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its lines from the first statement behind the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def depth_of(node: ast.AST, depth: int = 0) -> int:
    """How many blocks lie in each other at the deepest place. Each `elif` lies in the one before, as the syntax tree
    has it.
    """
    inner = (depth_of(child, depth + isinstance(child, BLOCKS)) for child in ast.iter_child_nodes(node))
    return max([depth, *inner])
