"""Hostile and broken YAML is harmless: each is a clear problem with a place, soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from streams.config import documents
from streams.config.load import load_directory
from streams.config.problems import ConfigurationErrors
from tests.unit.config.writing import APP, load, told


def raised(path: Path) -> str:
    with pytest.raises(ConfigurationErrors) as found:
        load_directory(path)
    assert len(found.value.problems) == 1
    return str(found.value.problems[0])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1:1 the file is empty"),
        ("# nothing\n---\n", "1:1 the file is empty"),
        ("just text", "1:1 expected sections (sources, apps, partners, postbacks), found a single value"),
        ("[1, 2]", "1:1 expected sections (sources, apps, partners, postbacks), found a list"),
        ("apps: {id: x}", "1:7 apps expected a list, found a mapping"),
        ("apps: game", "1:7 apps expected a list, found a single value"),
        ("apps: [3]", "1:8 apps[0] expected a mapping"),
        ("app: []", "1:1 app unknown section; did you mean apps?"),
        ("sources: []", "sources is empty"),
        ("apps: []\n---\napps: []", "2:1 a second document; one file holds one document"),
        (
            "apps:\n\t- {id: x}",
            "2:1 is not YAML: found character '\\t' that cannot start any token; indent with spaces",
        ),
        ("apps: [", "is not YAML: expected the node content"),
        ("apps: 'x", "is not YAML: found unexpected end of stream"),
        ("apps: \x00", "1:7 is not YAML: a control character (U+0000)"),
        ("apps: [*nobody]", "1:8 *nobody refers to no anchor before it"),
        ("apps: &a [*a]", "1:11 *a refers to no anchor before it"),
        (
            "apps: !!python/object/apply:os.system ['true']",
            "1:7 a tag ('tag:yaml.org,2002:python/object/apply:os.system')",
        ),
        ("apps: !!binary aGFsbG8=", "a tag ('tag:yaml.org,2002:binary'); tags have no meaning here; remove it"),
        ("apps: []\napps: []", "2:1 the key 'apps' again; it stands in line 1 already"),
        ("1: []", "1:1 a key that is no text: 1; write it in quotes"),
        ("? [a]\n: b", "1:3 a key that is no text"),
        ("<<: 5", "1:5 << takes a mapping, or a list of them"),
    ],
)
def test_a_broken_file_is_told_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    assert any(line in each for each in told(tmp_path, text)), told(tmp_path, text)


def test_a_byte_that_is_not_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("apps:\n- {id: bücher}\n".encode("latin-1"))
    assert raised(path) == f"{path}:2:9 is not UTF-8: byte 0xfc; save it as UTF-8"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + APP.encode())
    assert load_directory(tmp_path).apps[0].id == "game"


def test_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "dos.yaml").write_bytes(APP.replace("\n", "\r\n").encode())
    assert load_directory(tmp_path).apps[0].id == "game"


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "[a, "])
def test_depth_is_bounded_while_reading(tmp_path: Path, opening: str) -> None:
    begun = time.monotonic()
    (line,) = told(tmp_path, opening * 100_000)
    assert "is nested more than 50 deep" in line
    assert time.monotonic() - begun < 5


def test_a_billion_laughs_are_not_laughed(tmp_path: Path) -> None:
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (line,) = told(tmp_path, "\n".join(lines))
    assert "has more than 1000000 values" in line


def test_merged_laughs_are_bounded_too(tmp_path: Path) -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join(['*a0'] * 100)}]}}" for n in range(1, 20)]
    assert any("has more than 1000000 values" in line for line in told(tmp_path, "\n".join(lines)))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)
    assert "is larger than 4 MiB" in raised(path)


def test_a_pipe_or_device_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "is not a regular file" in raised(tmp_path)
    assert "is not a regular file" in raised(Path("/dev/zero"))


def test_a_directory_without_yaml_is_told(tmp_path: Path) -> None:
    assert raised(tmp_path) == f"{tmp_path} holds no *.yaml or *.yml file"
    assert raised(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'} cannot be read: No such file or directory"


def test_a_file_that_cannot_be_read_hides_no_other_mistake_and_makes_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apps: [")
    (tmp_path / "b.yaml").write_text(
        "postbacks:\n- {id: p, app: game, partner: acme, event: nope, url: 'https://a.b/'}\n"
    )
    with pytest.raises(ConfigurationErrors) as found:
        load_directory(tmp_path)
    first, second = found.value.problems
    assert "a.yaml" in str(first)
    assert "'nope' is not a derived event" in str(second)


def test_anchors_and_merges_say_a_thing_once(tmp_path: Path) -> None:
    text = "apps:\n- &first {id: a, platform: ios, install_grace: 5s}\n- {<<: *first, id: b, platform: android}\n"
    first, second = load(tmp_path, text).apps
    assert (first.id, first.install_grace) == ("a", 5_000)
    assert (second.id, second.platform, second.install_grace) == ("b", "android", 5_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("0x10", "0x10"), ("1_000", "1_000"), ("012", "012"), ("2026-01-01", "2026-01-01"),
        ("~", None), ("", None), ("TRUE", True), ("false", False), ("-3", -3), ("1e3", 1000.0), (".5", 0.5),
    ],
)  # fmt: skip
def test_a_bare_word_is_what_it_looks_like_to_everybody(text: str, value: object) -> None:
    assert documents._resolve(text) == value
    assert type(documents._resolve(text)) is type(value)
