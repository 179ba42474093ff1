"""YAML files → one configuration, or everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from schemas.config import Configuration
from streams.config import build, check, documents, items, nodes, topic
from streams.config.models import DEFAULT_SOURCES, SECTIONS
from streams.config.problems import ConfigurationErrors, Place, Problem, did_you_mean

#: Brokers take records of 1 MB by default; a configured thing is one record.
MAX_ITEM_BYTES = 900_000


def load_directory(path: str | Path, reserved_topics: Collection[str] = ()) -> Configuration:
    """What the YAML files in a directory (or one file) say, as generation 0. Raises `ConfigurationErrors` with all
    problems.

    `reserved_topics` may not be sources: Ringback's own.
    """
    try:
        files = documents.find_files(Path(path))
    except documents.Unreadable as error:
        raise ConfigurationErrors([error.problem]) from error
    whole = check.Whole(reserved_topics=frozenset(reserved_topics))
    problems: list[Problem] = []
    sections: set[str] = set()
    for file in files:
        root, found = documents.read_file(file)
        problems += found
        if root is None:
            whole.partial = True
        else:
            found, named = _take(root, whole)
            problems += found
            sections |= named
    if "sources" in sections and not whole.sources and not whole.partial:
        problems.append(
            Problem(Place(str(path)), ("sources",), "is empty", "leave it out for the default: installs, events")
        )
    problems += check.problems(whole)
    if problems:
        raise ConfigurationErrors(problems)
    return _build(whole)


def _take(root: nodes.Node, whole: check.Whole) -> tuple[list[Problem], set[str]]:
    """Add a document's items to the whole. Returns what is wrong with each alone, and the names of its sections."""
    if not isinstance(root, nodes.Mapping):
        expected = f"expected sections ({', '.join(SECTIONS)}), found {_word(root)}"
        return [Problem(root.place, (), expected)], set()
    problems: list[Problem] = []
    named: set[str] = set()
    for key, (place, node) in root.entries.items():
        model = SECTIONS.get(key)
        if model is None:
            hint = did_you_mean(key, SECTIONS) or f"the sections are {', '.join(SECTIONS)}"
            problems.append(Problem(place, (key,), "unknown section", hint))
        elif isinstance(node, nodes.Sequence):
            named.add(key)
            for number, child in enumerate(node.items):
                item: items.Item[Any] = items.validate(model, child, (key, number))
                getattr(whole, key).append(item)
                problems += item.problems
        elif not (isinstance(node, nodes.Scalar) and node.value is None):
            problems.append(Problem(node.place, (key,), f"expected a list, found {_word(node)}"))
    return problems, named


def _build(whole: check.Whole) -> Configuration:
    sections: dict[str, list[Any]] = {
        name: [item.model for item in getattr(whole, name) if item.model is not None] for name in SECTIONS
    }
    if not sections["sources"]:
        sections["sources"] = list(DEFAULT_SOURCES)
    configuration = build.configuration(**sections)
    problems = []
    for kind in topic.KINDS.values():
        for item, built in zip(getattr(whole, kind.section), getattr(configuration, kind.section), strict=False):
            size = len(msgspec.json.encode(built))
            if size > MAX_ITEM_BYTES:
                problems.append(
                    item.problem((), f"is too large: {size:,} bytes, at most {MAX_ITEM_BYTES:,} are possible")
                )
    if problems:
        raise ConfigurationErrors(problems)
    return configuration


def _word(node: nodes.Node) -> str:
    if isinstance(node, nodes.Scalar):
        return "nothing" if node.value is None else "a single value"
    return "a list" if isinstance(node, nodes.Sequence) else "a mapping"
