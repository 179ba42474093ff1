"""What `docs/receipts.md` says of the columns is what a receipt has: in its list, and in every statement."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from schemas.receipt import Receipt

PAGE = (Path(__file__).parents[3] / "docs" / "receipts.md").read_text()
HINTS = get_type_hints(Receipt)

#: What a type of ours is called in each dialect.
CLICKHOUSE = {str: {"String", "LowCardinality(String)"}, int: {"Int64", "Int32"}, float: {"Float64"}, bool: {"Bool"}}
POSTGRES = {str: {"text"}, int: {"bigint", "integer"}, float: {"double precision"}, bool: {"boolean"}}
DUCKDB = {str: {"VARCHAR"}, int: {"BIGINT", "INTEGER"}, float: {"DOUBLE"}, bool: {"BOOLEAN"}}
WORDS = {str: {"text"}, int: {"integer, 64 bits", "integer"}, float: {"float"}, bool: {"boolean"}}
TIME = "DateTime64(3, 'UTC')"


def kind_of(name: str) -> tuple[type, bool]:
    """The plain type of a column, and whether it may be null."""
    hint: Any = HINTS[name]
    parts = [part for part in get_args(hint) if part is not type(None)] if get_origin(hint) is not Literal else []
    plain = parts[0] if parts else hint
    return (str if get_origin(plain) is Literal else plain), type(None) in get_args(hint)


def columns(begin: str, section: str = "") -> dict[str, str]:
    """The columns of the statement that begins so, with what is said of each."""
    page = PAGE[PAGE.index(section) :]
    body = page[page.index(begin) + len(begin) :]
    body = body[: re.search(r"\n *[)}]", body).start()]  # type: ignore[union-attr]
    lines = [line.strip().rstrip(",") for line in body.splitlines() if line.strip()]
    pairs = (re.split(r":? ", line, maxsplit=1) for line in lines if not line.startswith("PRIMARY"))
    return {name.strip('"'): said.strip("'") for name, said in pairs}


def test_the_list_has_every_column_with_its_type() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(Receipt.__struct_fields__)
    for name, said in rows:
        plain, nullable = kind_of(name)
        assert said.endswith(", may be null") is nullable, name
        assert said.removesuffix(", may be null") in WORDS[plain], name


def test_the_queue_of_clickhouse_reads_every_column() -> None:
    found = columns("CREATE TABLE receipts_queue (\n")
    assert list(found) == list(Receipt.__struct_fields__)
    for name, said in found.items():
        plain, nullable = kind_of(name)
        inner = re.fullmatch(r"Nullable\((.*)\)", said)
        assert bool(inner) is nullable, name
        assert (inner[1] if inner else said) in CLICKHOUSE[plain], name


def test_the_table_of_clickhouse_is_that_of_its_queue_with_times() -> None:
    queue, table = columns("CREATE TABLE receipts_queue (\n"), columns("CREATE TABLE receipts (\n", "## ClickHouse")
    times = {name for name in queue if table[name] != queue[name]}
    assert list(queue) == list(table)
    assert times == {"at", "next_at"}
    assert (table["at"], table["next_at"]) == (TIME, f"Nullable({TIME})")


def test_the_table_of_postgres_has_every_column() -> None:
    found = columns("CREATE TABLE receipts (\n", "## Postgres")
    assert list(found) == list(Receipt.__struct_fields__)
    for name, said in found.items():
        plain, nullable = kind_of(name)
        assert said.endswith(" NOT NULL") is not nullable, name
        assert said.removesuffix(" NOT NULL") in POSTGRES[plain], name


def test_duckdb_is_told_every_column() -> None:
    found = columns("columns = {\n")
    assert list(found) == list(Receipt.__struct_fields__)
    for name, said in found.items():
        assert said in DUCKDB[kind_of(name)[0]], name


@pytest.mark.parametrize("key", [r"PRIMARY KEY \((.*)\)", r"go by `(.*)`"])
def test_the_keys_name_the_same_columns(key: str) -> None:
    found = re.search(key, PAGE)
    assert found
    assert found[1] == "job_id, kind, attempt, replay, at"
    ordered = re.search(r"ORDER BY \((.*)\);", PAGE)
    assert ordered
    assert set(found[1].split(", ")) <= set(ordered[1].split(", "))
