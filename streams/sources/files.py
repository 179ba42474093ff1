"""Records in files: JSON Lines and CSV, plain or gzip, become the raw values that a source's decoder reads.

Every line is either a value or says why it is none, so that one bad line stops nothing.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from schemas.config import Source
from schemas.record import Event, Install
from streams.errors import USAGE, Stop
from streams.sources.decode import Rejected

STDIN = "-"
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
BUFFER = 1 << 20


class Line(NamedTuple):
    """A record's place in its file, and its value or why there is none."""

    number: int
    value: bytes | Rejected


class Input:
    """An open file of records. Sizes are bytes on the disk; `size` is 0 where nobody knows it. Raises `Stop`."""

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == STDIN else name
        try:
            self._raw = io.BufferedReader(io.FileIO(0 if name == STDIN else name, closefd=name != STDIN), BUFFER)
            self.size = 0 if name == STDIN else Path(name).stat().st_size
            packed = self._raw.peek(2)[:2] == GZIP_MAGIC
        except OSError as error:
            raise Stop(f"{self.name} cannot be read: {error.strerror}", exit_code=USAGE) from error
        # GzipFile's own readline is a Python function; a reader around it reads lines in C.
        self.stream = io.BufferedReader(gzip.GzipFile(fileobj=self._raw), BUFFER) if packed else self._raw

    def position(self) -> int:
        """How far the file has been read."""
        return self._raw.tell() if self.size else 0

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


def read(source: Input, form: str, of: Source, max_bytes: int, delimiter: str = ",") -> Iterator[Line]:
    """The records of a file; `form` is `json` or `csv`. Raises `Stop` when the file as a whole is damaged."""
    lines = json_lines(source.stream, max_bytes) if form == "json" else csv_lines(source.stream, of, delimiter)
    number = 0
    try:
        for line in lines:
            number = line.number
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Stop(f"{source.name} is damaged after line {number}: {error}", "get a whole copy of it") from error
    except OSError as error:
        raise Stop(f"{source.name} cannot be read after line {number}: {error.strerror or error}") from error


def whole(source: Input) -> bytes:
    """All of a file. Raises `Stop` when it is damaged."""
    try:
        return source.stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Stop(f"{source.name} is damaged: {error}", "get a whole copy of it") from error
    except OSError as error:
        raise Stop(f"{source.name} cannot be read: {error.strerror or error}", exit_code=USAGE) from error


def json_lines(stream: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """JSON Lines; blank lines are no records. A line longer than a record may be is never kept in memory."""
    number = 0
    limit = max_bytes + 2
    while line := stream.readline(limit):
        number += 1
        if len(line) == limit and not line.endswith(b"\n"):
            while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, Rejected("too_large", f"the line has more than {max_bytes:,} bytes"))
            continue
        if number == 1:
            line = line.removeprefix(BOM)
        if value := line.strip():
            yield Line(number, value)


def csv_lines(stream: BinaryIO, source: Source, delimiter: str) -> Iterator[Line]:
    """CSV whose header names the fields. An empty cell is an absent field, `params.x` an entry of `params`.

    Cells are text; those of fields that are numbers or true/false become what they say. A cell that does not say such
    a thing stays text, and the decoder refuses it by name.
    """
    # A byte that is no UTF-8 is carried through as a surrogate, so that only its own line is refused.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    csv.field_size_limit(2**31 - 1)
    header = _header(rows, source, delimiter)
    cells = [(name, _conversion(name, source)) for name in header]
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, Rejected("undecodable", f"not CSV: {error}"))
            continue
        if row:
            yield Line(number, _value(row, cells))


Conversion = Callable[[str], Any]


def _header(rows: Iterator[list[str]], source: Source, delimiter: str) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise Stop(f"the header is not CSV: {error}", exit_code=USAGE) from error
    if twice := sorted({name or "(empty)" for name in header if header.count(name) > 1 or not name}):
        raise Stop(f"the CSV header names a column twice or not at all: {', '.join(twice)}", exit_code=USAGE)
    if (needed := source.mapping.get("app_id", "app_id")) not in header:
        raise Stop(
            f"the CSV has no column {needed}: its first line must name the fields, with {delimiter!r} between them",
            "write the names into the first line, or give the right `--delimiter`",
            USAGE,
        )
    return header


def _conversion(column: str, source: Source) -> Conversion:
    """How the cells of a column are read: by the type of the contract's field that comes from it."""
    if column == "params" or column in [source.mapping.get("params")]:
        return _json
    fields = [field for field, place in source.mapping.items() if place == column]
    if column not in source.mapping:
        fields.append(column)
    kind = Install if source.record == "install" else Event
    types = " ".join(str(field.type) for field in msgspec.structs.fields(kind) if field.name in fields)
    # Times are text or numbers: text says the same, and keeps its digits.
    if "str" in types:
        return str
    return _number if "float" in types else _boolean if "bool" in types else str


def _number(cell: str) -> float | str:
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if abs(number) != float("inf") and number == number else cell


def _boolean(cell: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(cell.strip().lower(), cell)


def _json(cell: str) -> object:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return cell


def _value(row: list[str], cells: list[tuple[str, Conversion]]) -> bytes | Rejected:
    """A row as the JSON that a source would have read."""
    if len(row) != len(cells):
        return Rejected("undecodable", f"{len(row)} cells: expected {len(cells)}, as the header has")
    record: dict[str, Any] = {}
    params: dict[str, str] = {}
    for cell, (name, conversion) in zip(row, cells, strict=True):
        if cell == "":
            continue
        if name.startswith("params."):
            params[name[7:]] = cell
        else:
            record[name] = conversion(cell)
    if params:
        given = record.get("params")
        record["params"] = {**given, **params} if isinstance(given, dict) else params
    try:
        return msgspec.json.encode(record)
    except (UnicodeEncodeError, RecursionError):
        return Rejected("undecodable", "the row is not UTF-8")
