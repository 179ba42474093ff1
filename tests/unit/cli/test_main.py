"""The command line: quick, and clear about what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streams import __version__
from streams.cli.main import run
from streams.errors import RUNTIME, USAGE, Stop
from streams.settings import Settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that goes back to what it was."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG_FILE", "BOOTSTRAP_SERVERS", "LOG_LEVEL"):
        monkeypatch.setenv(f"RINGBACK_{name}", "")
    return tmp_path


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ringback {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["worker"],
        ["sender"],
        ["apply"],
        ["plan"],
        ["export"],
        ["feed"],
        ["render"],
        ["explain"],
        ["state"],
        ["settings"],
        ["events"],
        ["doctor"],
        ["topics"],
        ["topics", "create"],
    ],
)
def test_every_command_tells_what_it_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "Usage: ringback" in capsys.readouterr().out


@pytest.mark.parametrize("group", [[], ["topics"]])
def test_no_sentence_in_a_list_of_commands_is_cut(
    group: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*group, "--help"]) == 0
    _, _, commands = capsys.readouterr().out.partition("Commands:\n")
    assert [line for line in commands.splitlines() if not line.endswith(".")] == []
    assert "..." not in commands
    assert commands


def test_the_two_meanings_of_config_are_told_where_each_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "behind `render` it means YAML files of postbacks" in " ".join(capsys.readouterr().out.split())
    assert run(["render", "--help"]) == 0
    assert "`ringback --config FILE render`" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["nonsense"], ["feed"], ["settings", "--nonsense"], ["topics", "nonsense"]])
def test_what_cannot_be_understood_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == USAGE
    assert "Traceback" not in capsys.readouterr().err


def test_settings_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings"]) == 0
    out = capsys.readouterr().out
    assert [name for name in Settings.model_fields if f"RINGBACK_{name.upper()}" not in out] == []


def test_settings_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_GRACE", "5m")
    monkeypatch.setenv("RINGBACK_KAFKA_OPTIONS", '{"sasl.password": "hunter2"}')
    assert run(["settings", "--json"]) == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["grace"] == {
        "name": "grace",
        "variable": "RINGBACK_GRACE",
        "default": "30s",
        "value": "5m",
        "description": Settings.model_fields["grace"].description,
    }
    assert "hunter2" not in out


def test_wrong_settings_are_told_at_once_and_the_list_is_still_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGBACK_GRACE", "soon")
    monkeypatch.setenv("RINGBACK_PARTITIONS", "0")
    assert run(["settings"]) == USAGE
    told = capsys.readouterr()
    assert "RINGBACK_GRACE:" in told.err
    assert "RINGBACK_PARTITIONS:" in told.err
    assert "RINGBACK_PREFETCH" in told.out


def test_global_options_win(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.yaml").write_text("worker_id: mine\nbootstrap_servers: file:1\n")
    assert run(["--config", "mine.yaml", "-b", "option:1", "settings", "--json"]) == 0
    rows = {row["name"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert (rows["worker_id"], rows["bootstrap_servers"]) == ("mine", "option:1")


def test_an_unreachable_broker_is_a_line_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-b", "127.0.0.1:1", "topics", "create", "--timeout", "0.3"]) == RUNTIME
    err = capsys.readouterr().err
    assert "Kafka at 127.0.0.1:1 cannot be reached: " in err
    assert "Connection refused" in err
    assert "RINGBACK_BOOTSTRAP_SERVERS" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent.json"], "absent.json cannot be read"),
        (["absent.json", "--format", "xml"], "expected json, csv or auto"),
        (["absent.csv", "--delimiter", "::"], "expected one character"),
    ],
)
def test_feed_refuses_what_it_cannot_read_before_it_looks_for_kafka(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["feed", *arguments, "--source", "events"]) == USAGE
    assert told in capsys.readouterr().err


def test_a_package_that_hides_ours_is_named(folder: Path) -> None:
    (folder / "schemas").mkdir()
    (folder / "schemas" / "__init__.py").write_text("")
    # Like a foreign distribution of that name that comes first in the path.
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); from streams.cli.main import run; sys.exit(run(['topics']))"
    )
    root = str(Path(__file__).parents[3])
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert told.returncode == USAGE
    assert f"another package named `schemas` hides ours: {folder / 'schemas'}" in told.stderr


def test_help_is_quick_since_rooms_are_imported_by_the_commands_that_need_them() -> None:
    root = str(Path(__file__).parents[3])
    code = "import sys; from streams.cli import main; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert {"faust", "aiohttp", "confluent_kafka", "pydantic", "streams.settings", "rich"} & set(
        told.stdout.split()
    ) == set()


def test_stop_says_what_and_what_to_do() -> None:
    assert str(Stop("it is broken", "mend it")) == "it is broken\nmend it"
    assert str(Stop("it is broken")) == "it is broken"
