"""Records in files: JSON Lines and CSV, plain or gzip."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Source
from schemas.record import Event
from streams.errors import Stop
from streams.sources.decode import Decoder, Rejected
from streams.sources.files import Input, Line, csv_lines, json_lines, read

EVENTS = Source(topic="events", record="event")


def from_json(text: bytes, limit: int = 100) -> list[Line]:
    return list(json_lines(io.BytesIO(text), limit))


def from_csv(text: str | bytes, source: Source = EVENTS, delimiter: str = ",") -> list[Any]:
    """Each row as the record that was read, or its refusal."""
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    lines = csv_lines(stream, source, delimiter)
    return [json.loads(line.value) if isinstance(line.value, bytes) else line.value for line in lines]


def test_a_line_is_a_record_and_blank_lines_are_none() -> None:
    assert from_json(b'{"a":1}\n\n  \r\n{"b":2}\r\n{"c":3}') == [
        Line(1, b'{"a":1}'),
        Line(4, b'{"b":2}'),
        Line(5, b'{"c":3}'),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_record() -> None:
    assert from_json(b"\xef\xbb\xbf{}") == [Line(1, b"{}")]


def test_a_line_longer_than_a_record_may_be_stops_nothing() -> None:
    found = from_json(b"x" * 1_000 + b"\n{}\n" + b"y" * 500, limit=100)
    assert [(line.number, isinstance(line.value, Rejected)) for line in found] == [(1, True), (2, False), (3, True)]


def test_the_longest_line_that_is_allowed_is_taken() -> None:
    assert from_json(b"x" * 100 + b"\n" + b"y" * 100, limit=100) == [Line(1, b"x" * 100), Line(2, b"y" * 100)]


def test_cells_become_what_their_fields_are() -> None:
    text = "app_id,event_name,user_id,revenue,validated,event_timestamp,level\ng,buy,007,1.50,TRUE,1767355445,3\n"
    assert from_csv(text) == [
        {
            "app_id": "g",
            "event_name": "buy",
            "user_id": "007",
            "revenue": 1.5,
            "validated": True,
            "event_timestamp": "1767355445",
            "level": "3",
        }
    ]


def test_an_empty_cell_is_an_absent_field() -> None:
    assert from_csv("app_id,revenue,params.x\ng,,\n") == [{"app_id": "g"}]


def test_params_have_columns_of_their_own() -> None:
    text = 'app_id,params,params.a,params.b.c\ng,"{""a"": 1, ""z"": 2}",x,y\ng,,x,\n'
    assert from_csv(text) == [
        {"app_id": "g", "params": {"a": "x", "z": 2, "b.c": "y"}},
        {"app_id": "g", "params": {"a": "x"}},
    ]


@pytest.mark.parametrize("cell", ["much", "1,5", "inf", "NaN", "1e999"])
def test_a_cell_that_is_no_number_is_refused_by_name_like_any_record(cell: str) -> None:
    (line,) = csv_lines(io.BytesIO(f'app_id,event_name,revenue\ng,buy,"{cell}"\n'.encode()), EVENTS, ",")
    assert isinstance(line.value, bytes)
    assert Decoder(EVENTS, 1_000).decode(line.value) == Rejected("invalid", "revenue: expected a number, found text")


def test_a_mapped_column_has_the_type_of_its_field() -> None:
    source = Source(topic="e", record="event", mapping={"revenue": "amount", "app_id": "app", "user_id": "revenue"})
    assert from_csv("app,amount,revenue\ng,2,7\n", source) == [{"app": "g", "amount": 2.0, "revenue": "7"}]


def test_one_bad_row_stops_nothing() -> None:
    found = from_csv(b'app_id,user_id\ng,1\ng\ng,"\xff"\ng,"a"b\ng,2\n')
    assert [isinstance(row, Rejected) for row in found] == [False, True, True, True, False]
    assert found[1] == Rejected("undecodable", "1 cells: expected 2, as the header has")


def test_rows_over_several_lines_are_known_by_their_first() -> None:
    lines = csv_lines(io.BytesIO(b'app_id,user_id\ng,"a\nb"\ng,c\n'), EVENTS, ",")
    assert [line.number for line in lines] == [2, 4]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column app_id"),
        ("user_id\n1\n", "no column app_id"),
        ("app_id;user_id\ng;1\n", "no column app_id"),
        ("app_id,user_id,user_id\n", "user_id"),
        ("app_id,,\n", "twice or not at all"),
    ],
)
def test_a_header_that_cannot_be_stops_at_once(text: str, told: str) -> None:
    with pytest.raises(Stop, match=told):
        from_csv(text)


def test_other_delimiters() -> None:
    assert from_csv("app_id;user_id\ng;1\n", delimiter=";") == [{"app_id": "g", "user_id": "1"}]


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert from_csv(b"\xef\xbb\xbfapp_id\ng\n") == [{"app_id": "g"}]


def written(tmp_path: Path, data: bytes) -> Input:
    path = tmp_path / "file"
    path.write_bytes(data)
    return Input(str(path))


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"b":2}\n')
    opened = written(tmp_path, packed)
    assert [line.value for line in read(opened, "json", EVENTS, 100)] == [b'{"a":1}', b'{"b":2}']
    assert opened.position() == opened.size == len(packed)
    opened.close()


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-12], lambda d: d[:60] + b"\0\0\0\0" + d[64:], lambda d: d[:-8] + b"\0" * 8]
)
def test_a_damaged_file_stops_with_its_place(tmp_path: Path, damage: Any) -> None:
    text = b"".join(json.dumps({"n": n, "x": str(n * 7919)}).encode() + b"\n" for n in range(2_000))
    opened = written(tmp_path, damage(gzip.compress(text)))
    with pytest.raises(Stop, match="damaged after line"):
        list(read(opened, "json", EVENTS, 100))
    opened.close()


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_file_that_cannot_be_read_stops(name: str, tmp_path: Path) -> None:
    with pytest.raises(Stop, match="cannot be read"):
        Input(str(tmp_path / name))


@given(st.binary(max_size=300))
def test_no_file_of_any_bytes_raises_anything_but_stop(data: bytes) -> None:
    decoder = Decoder(EVENTS, 50)
    lines = [*json_lines(io.BytesIO(data), 50)]
    try:
        lines += csv_lines(io.BytesIO(b"app_id,event_name,params\n" + data), EVENTS, ",")
        lines += csv_lines(io.BytesIO(data), EVENTS, ",")
    except Stop:
        pass
    for line in lines:
        assert isinstance(line.value, Rejected) or isinstance(decoder.decode(line.value), Rejected | Event)
