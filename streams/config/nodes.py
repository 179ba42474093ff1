"""YAML as nodes that know where they stand, their plain values, and the way back from a path to a place. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.config.problems import Path, Place

#: What a node stands for in plain Python.
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


@dataclass(slots=True, eq=False)
class Scalar:
    """A single value. `bare`: written without quotes.

    `straight`: its text stands in the file character by character from `place` + `inset` on.
    """

    place: Place
    value: bool | int | float | str | None
    bare: bool = True
    straight: bool = False
    inset: int = 0


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys with their own places, and values."""

    place: Place
    entries: dict[str, tuple[Place, Node]] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Plain:
    """The value without its places. Depth and size of the tree are bounded by whoever made it."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def find(root: Node, path: Path) -> tuple[Node, Place, bool]:
    """The node at `path`, the place of its key (or of itself in a list), and whether it was found.

    When the path leads to nothing, they are those of the last thing on the way that there is.
    """
    node, place = root, root.place
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            place, node = node.entries[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            return node, place, False
    return node, place, True


def place_of(root: Node, path: Path, column: int | None = None) -> Place:
    """Where the value at `path` stands; `column` counts the characters of a text from 1.

    A column can be told only when the text stands in the file as it is: on one line, without escapes.
    """
    node, _, found = find(root, path)
    if found and column is not None and isinstance(node, Scalar) and node.straight:
        return node.place.moved(node.inset + column - 1)
    return node.place


def key_place_of(root: Node, path: Path) -> Place:
    """Where the key at the end of `path` stands."""
    return find(root, path)[1]
