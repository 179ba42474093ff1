"""What is exported says the same as what was loaded, whatever it says."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import App, Configuration, Partner, Postback, Source
from streams.config import documents, nodes, shapes, writing
from streams.config.kinds import Duration, Rate, Statuses, Time
from streams.config.load import load_directory
from streams.config.models import SECTIONS, EndpointModel
from tests.unit.config.test_load import WHOLE
from tests.unit.config.writing import load, postback


def again(configuration: Configuration) -> Configuration:
    with tempfile.TemporaryDirectory() as folder:
        for section, text in writing.documents(configuration).items():
            (Path(folder) / writing.FILES[section]).write_text(text, encoding="utf-8")
        return load_directory(folder)


def test_the_whole_of_the_contract_comes_back(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert again(found) == found


def test_defaults_are_left_out(tmp_path: Path) -> None:
    texts = writing.documents(load(tmp_path, postback()))
    assert texts["apps"] == "apps:\n- id: game\n  platform: android\n"
    assert texts["partners"] == "partners:\n- id: acme\n"
    assert texts["postbacks"] == (
        "postbacks:\n- id: p\n  app: game\n  partner: acme\n  event: install\n  url: https://acme.example/\n"
    )


def test_a_postback_that_takes_the_template_is_written_without_url(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert "url" not in writing.written(found.postbacks[1], found)


@pytest.mark.parametrize("event", ["new_user", "re_engagement_user", "first_payment", "payment"])
def test_a_scope_is_written_where_there_is_a_choice(tmp_path: Path, event: str) -> None:
    found = load(tmp_path, postback(event=event))
    assert "scope" not in writing.documents(found)["postbacks"]
    assert again(found).postbacks == found.postbacks
    if event == "first_payment":
        chosen = load(tmp_path, postback(event=event, scope="user"))
        assert "scope: user" in writing.documents(chosen)["postbacks"]
        assert again(chosen).postbacks == chosen.postbacks


def test_values_are_written_as_people_write_them(tmp_path: Path) -> None:
    partners = writing.documents(load(tmp_path, WHOLE))["partners"]
    for line in ("rate_limit: 1000/m", "timeout: 250ms", "- 2xx", "- 304", "- 5xx", "impression_lookback: 90m"):
        assert line in partners


texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)
tricky = st.sampled_from(
    ["yes", "no", "null", "~", "true", "1", "01", "0x1F", "0o7", "1_000", "1e3", ".5", ".inf", "2026-01-02", "=", "<<",
     "- a", "a: b", "#x", "a #b", "*a", "&a", "!x", "%x", "@x", "`x", "'", '"', "\\", "[", "}", "|", ">", "?", "a:",
     ":a",      "12:30:45", "é€😀"]
)  # fmt: skip
words = st.one_of(texts, tricky)
values = st.one_of(
    words, st.text(max_size=40).filter(lambda text: "{" not in text and "}" not in text and "$" not in text)
)
json_like = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1),
              st.floats(allow_nan=False, allow_infinity=False), values),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(values, inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60)
@given(name=words, fields=st.dictionaries(words, values, max_size=4), body=json_like)
def test_any_text_comes_back(name: str, fields: dict[str, str], body: Any) -> None:
    partner = Partner(id=name, name=name + "!", fields=fields)
    if isinstance(body, dict) or (isinstance(body, list) and body):
        text = writing.documents(Configuration(generation=0, sources=(), apps=(), partners=(partner,), postbacks=()))[
            "partners"
        ]
        text += "postbacks:\n" + _body_only(body)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "x.yaml").write_text(text, encoding="utf-8", newline="")
            assert _bodies(Path(folder)) == [body]
    source = Source(topic="t", record="event")
    found = again(Configuration(generation=0, sources=(source,), apps=(), partners=(partner,), postbacks=()))
    assert found.partners == (partner,)


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\r", "\n", "\r\n", "\t", "\ufeff"])
def test_a_break_of_lines_comes_back_as_the_one_it_was(character: str, tmp_path: Path) -> None:
    bodies = [character, f"a{character}", f"{character}a", f"a {character} b", {f"a{character}b": character}]
    text = "partners: []\npostbacks:\n" + "".join(_body_only(body) for body in bodies)
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8", newline="")
    assert _bodies(tmp_path) == bodies


def _body_only(body: Any) -> str:
    stream = io.StringIO()
    writing.writer().dump([{"body": body}], stream)
    return stream.getvalue()


def _bodies(folder: Path) -> list[Any]:
    root, problems = documents.read_file(folder / "x.yaml")
    assert root is not None
    assert not problems
    plain: Any = nodes.plain(root)
    return [item["body"] for item in plain["postbacks"]]


@given(st.integers(0, 3650 * 86_400_000))
def test_a_duration_is_written_as_it_is_read(milliseconds: int) -> None:
    kind = Duration("0s", "3650d")
    assert kind.read(kind.write(milliseconds)) == milliseconds


@given(st.integers(0, 253_370_764_800_000 - 1))
def test_a_time_is_written_as_it_is_read(milliseconds: int) -> None:
    assert Time().read(Time().write(milliseconds)) == milliseconds


@given(st.integers(200, 999), st.integers(200, 999))
def test_statuses_are_written_as_they_are_read(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert Statuses().read(Statuses().write((low, high))) == (low, high)


@given(st.decimals(1, 1_000_000, places=3), st.sampled_from("smhd"))
def test_a_rate_is_written_as_it_is_read(count: Any, unit: str) -> None:
    written = f"{count}/{unit}"
    assert Rate().read(Rate().write(Rate().read(written))) == Rate().read(written)


def test_the_defaults_of_the_table_are_those_of_the_records() -> None:
    structures = {"sources": Source, "apps": App, "partners": Partner, "postbacks": Postback}
    for section, structure in structures.items():
        for field in msgspec.structs.fields(structure):  # type: ignore[arg-type]
            if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
                continue
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()  # type: ignore[misc]
            known = SECTIONS[section].model_fields[field.name]
            assert msgspec.json.encode(known.get_default()) == msgspec.json.encode(default), (section, field.name)


def test_the_table_has_every_field_of_the_records() -> None:
    structures = {"sources": Source, "apps": App, "partners": Partner}
    for section, structure in structures.items():
        assert set(SECTIONS[section].model_fields) == {field.name for field in msgspec.structs.fields(structure)}  # type: ignore[arg-type]
    own = {field.name for field in msgspec.structs.fields(Postback)} - {"endpoint"}
    assert set(SECTIONS["postbacks"].model_fields) == own | set(EndpointModel.model_fields)
    assert all(shapes.Shape.of_field(f).describe() for s in SECTIONS.values() for f in s.model_fields.values())
