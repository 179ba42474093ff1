"""YAML files → nodes with places. Whatever a file holds, reading it is harmless, bounded, and ends in nodes or in
problems.

ruamel.yaml scans and parses; its events are put together here, so that no tag can make an object, every duplicate key
is found, and depth and size are bounded while reading, not after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from streams.config.nodes import Mapping, Node, Scalar, Sequence
from streams.config.problems import Place, Problem

SUFFIXES = (".yaml", ".yml")

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_FILES = 1_000
MAX_DEPTH = 50
#: Nodes of a file, those that aliases repeat counted each time.
MAX_NODES = 1_000_000

#: A dictionary's key for a merge (`<<: *defaults`): the keys of that mapping which are not given here.
MERGE = "<<"

_NULL = re.compile(r"|~|null|Null|NULL").fullmatch
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE").fullmatch
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})").fullmatch
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,30}|(0|[1-9][0-9]{0,30})(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,3})?").fullmatch


class Unreadable(Exception):
    """Ends the reading of a file; carries the problem."""

    def __init__(self, place: Place, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(place, (), message, hint)


def find_files(path: Path) -> list[Path]:
    """The files of a configuration: `path` itself, or the YAML files right in it, by name. Raises `Unreadable`.

    Hidden files are left out: editors keep their own there.
    """
    place = Place(str(path))
    try:
        if not path.is_dir():
            return [path]
        found = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and not p.name.startswith("."))
    except OSError as error:
        raise Unreadable(place, f"cannot be read: {error.strerror}") from error
    if not found:
        raise Unreadable(place, "holds no *.yaml or *.yml file")
    if len(found) > MAX_FILES:
        raise Unreadable(place, f"holds {len(found)} files; at most {MAX_FILES} are read")
    return found


def read_file(path: Path) -> tuple[Node | None, list[Problem]]:
    """The file's document (None when it cannot be used at all) and what is wrong with it as YAML."""
    try:
        text = _decode(path, _read(path))
        composer = _Composer(str(path))
        return composer.compose(text), composer.problems
    except Unreadable as error:
        return None, [error.problem]


def _read(path: Path) -> bytes:
    place = Place(str(path))
    try:
        # Reading a pipe or a device could wait, or go on, for ever.
        if path.exists() and not path.is_file():
            raise Unreadable(place, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Unreadable(place, f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(
            place,
            f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB",
            "divide it: a directory may hold several files",
        )
    return content


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", "replace")) + 1
        place = Place(str(path), before.count(b"\n") + 1, column)
        raise Unreadable(place, f"is not UTF-8: byte 0x{content[error.start]:02x}", "save it as UTF-8") from error


class _Composer:
    """Puts the parser's events together, without recursion."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def compose(self, text: str) -> Node:
        """The one document of the text. Raises `Unreadable`."""
        roots: list[Node] = []
        try:
            parser = YAML(typ="safe", pure=True)
            roots.extend(self._documents(parser.parse(text)))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file)
            raise Unreadable(place, f"is not YAML: {error.problem or error.context}", _yaml_hint(error)) from error
        except ReaderError as error:
            before = text[: error.position]
            place = Place(self._file, before.count("\n") + 1, error.position - before.rfind("\n"))
            raise Unreadable(place, f"is not YAML: a control character (U+{ord(text[error.position]):04X})") from error
        except (YAMLError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            # The parser's own mistakes about input that nobody wrote by hand.
            raise Unreadable(Place(self._file, 1, 1), f"is not YAML: {type(error).__name__}") from error
        empty = Place(self._file, 1, 1)
        if not roots or (isinstance(roots[0], Scalar) and roots[0].value is None):
            raise Unreadable(
                empty, "the file is empty", "remove it, or write a section: sources, apps, partners, postbacks"
            )
        return roots[0]

    def _documents(self, events: Iterator[yaml_events.Event]) -> Iterator[Node]:
        open_nodes: list[_Open] = []
        documents = 0
        node: Node
        for event in events:
            place = self._place(event)
            if isinstance(event, yaml_events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(place, "a second document", "one file holds one document; use several files")
            if isinstance(event, yaml_events.SequenceEndEvent | yaml_events.MappingEndEvent):
                node = self._close(open_nodes.pop())
            elif isinstance(event, yaml_events.NodeEvent):
                opened = self._open(event, place, len(open_nodes))
                if not isinstance(opened, Scalar | Sequence | Mapping):
                    open_nodes.append(opened)
                    continue
                node = opened
            else:
                continue
            if open_nodes:
                self._put(open_nodes[-1], node)
            else:
                yield node

    def _open(self, event: yaml_events.NodeEvent, place: Place, depth: int) -> Node | _Open:
        """A finished node for a scalar or an alias, an open one for a list or a mapping."""
        self._add(1, place)
        if isinstance(event, yaml_events.AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(place, f"*{event.anchor} refers to no anchor before it")
            node, size = self._anchors[event.anchor]
            self._add(size, place)
            return node
        if not isinstance(event, yaml_events.ScalarEvent | yaml_events.CollectionStartEvent):
            raise Unreadable(place, f"is not YAML: {type(event).__name__}")
        if event.tag is not None:
            self._problem(place, f"a tag ({_shown(str(event.tag))})", "tags have no meaning here; remove it")
        if isinstance(event, yaml_events.ScalarEvent):
            scalar = _scalar(event, place)
            if event.anchor:
                self._anchors[event.anchor] = scalar, 0
            return scalar
        if depth >= MAX_DEPTH:
            raise Unreadable(place, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml_events.SequenceStartEvent):
            return _Open(Sequence(place), event.anchor, self._count)
        return _Open(Mapping(place), event.anchor, self._count)

    def _close(self, done: _Open) -> Node:
        if done.anchor:
            self._anchors[done.anchor] = done.node, self._count - done.count_before
        if isinstance(done.node, Mapping):
            _merge(done.node, done.merges)
        return done.node

    def _put(self, parent: _Open, node: Node) -> None:
        """Add a finished node to the list or mapping that it stands in: there in turn a key and its value."""
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
            parent.merging = isinstance(node, Scalar) and node.bare and node.value == MERGE
        else:
            key, key_place = parent.key
            parent.key = None
            self._enter(parent, parent.node, key, key_place, node)

    def _enter(self, parent: _Open, mapping: Mapping, key: str | None, key_place: Place, node: Node) -> None:
        if parent.merging:
            parent.merges.append(self._mergeable(node, node.place))
        elif key in mapping.entries:
            first = mapping.entries[key][0]
            self._problem(key_place, f"the key {_shown(key)} again", f"it stands in line {first.line} already")
        elif key is not None:
            mapping.entries[key] = key_place, node

    def _key(self, node: Node) -> tuple[str | None, Place]:
        place = node.place
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value, place
        if isinstance(node, Scalar):
            self._problem(place, f"a key that is no text: {str(node.value).lower()}", "write it in quotes")
        else:
            self._problem(place, "a key that is no text", "a text that begins with a brace is written in quotes")
        return None, place

    def _mergeable(self, node: Node, place: Place) -> list[Mapping]:
        nodes = node.items if isinstance(node, Sequence) else [node]
        mappings = [each for each in nodes if isinstance(each, Mapping)]
        if len(mappings) != len(nodes):
            self._problem(place, f"{MERGE} takes a mapping, or a list of them", "name one by its anchor: *defaults")
        return mappings

    def _add(self, nodes: int, place: Place) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            raise Unreadable(place, f"has more than {MAX_NODES} values, those that aliases repeat counted each time")

    def _place(self, event: yaml_events.Event) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _problem(self, place: Place, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(place, (), message, hint))


class _Open:
    """A list or mapping whose end has not come yet; `key` is a mapping's key that waits for its value, `merging` if
    it merges.
    """

    __slots__ = ("anchor", "count_before", "key", "merges", "merging", "node")

    def __init__(self, node: Sequence | Mapping, anchor: str | None, count_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.count_before = count_before
        self.key: tuple[str | None, Place] | None = None
        self.merging = False
        self.merges: list[list[Mapping]] = []


def _merge(node: Mapping, merges: list[list[Mapping]]) -> None:
    """What is written in the mapping itself wins, then the earlier of the merged ones."""
    for mapping in (mapping for merge in merges for mapping in merge):
        for key, entry in mapping.entries.items():
            node.entries.setdefault(key, entry)


def _scalar(event: yaml_events.ScalarEvent, place: Place) -> Scalar:
    text = str(event.value)
    quoted = event.style in ("'", '"')
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column - (2 if quoted else 0)
    decorated = event.tag is not None or event.anchor is not None
    straight = start.line == end.line and width == len(text) and event.style not in ("|", ">") and not decorated
    bare = event.style in (None, "")
    return Scalar(place, _resolve(text) if bare else text, bare, straight, inset=1 if quoted else 0)


def _resolve(text: str) -> bool | int | float | str | None:
    """What a scalar without quotes stands for: YAML 1.2, core schema, but decimal numbers only.

    Dates, and numbers that begin with a zero, stay the texts they are.
    """
    if _NULL(text):
        return None
    if _BOOL(text):
        return text[0] in "tT"
    if _INTEGER(text):
        return int(text)
    if _FLOAT(text):
        return float(text)
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _yaml_hint(error: MarkedYAMLError) -> str | None:
    if "'\\t'" in str(error.problem):
        return "indent with spaces, not with tabs"
    if "found character '%'" in str(error.problem) or "found character '@'" in str(error.problem):
        return "write the text in quotes"
    return None
