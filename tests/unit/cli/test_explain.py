"""What `ringback explain` and `ringback state` refuse before they look for Kafka, and what they say on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.explain import COLOURS, key_of, paint, progress, window
from streams.cli.main import run
from streams.errors import RUNTIME, USAGE, Stop


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and an environment that goes back to what it was."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG_FILE", "BOOTSTRAP_SERVERS", "LOG_LEVEL"):
        monkeypatch.setenv(f"RINGBACK_{name}", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["explain", "e-1"], "--device"),
        (["explain", "e-1", "--device", "abc"], "--device 'abc': expected <app_id>|<identifier>"),
        (["explain", "e-1", "--device", "|abc"], "quote it, since | means something to the shell"),
        (["explain", "e-1", "--device", "a|b", "--since", "soon"], "--since: 'soon' is not a duration"),
        (["explain", "e-1", "--device", "a|b", "--since", "5"], "--since: '5' is not a duration"),
        (["state"], "say which: DEVICE, or --app and --id, or --user"),
        (["state", "a|b", "--user", "p|u"], "say which: DEVICE, or --app and --id, or --user"),
        (["state", "--app", "a"], "--app and --id belong together"),
        (["state", "abc"], "DEVICE 'abc': expected <app_id>|<identifier>"),
        (["state", "--user", "abc"], "--user 'abc': expected <project>|<user_id>"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_kafka_is_looked_for(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == USAGE
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("arguments", [["explain", "e-1", "-d", "a|b"], ["explain", "-d", "a|b"], ["state", "a|b"]])
def test_an_unreachable_broker_is_a_line_with_the_remedy(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-b", "127.0.0.1:1", *arguments, "--timeout", "0.3"]) == RUNTIME
    told = capsys.readouterr().err
    assert "Kafka at 127.0.0.1:1 cannot be reached" in told
    assert "Traceback" not in told


def test_keys_and_durations_are_read_as_they_are_written() -> None:
    assert key_of("com.example.game|a|b", "--device", "") == "com.example.game|a|b"
    assert (window("2d"), window("")) == (2 * 86_400_000, None)
    with pytest.raises(Stop):
        key_of("com.example.game|", "--device", "")


def test_each_mark_has_its_colour() -> None:
    painted = {kind: paint("x", kind) for kind in COLOURS}
    assert painted.keys() == {"yes", "no", "doubt", "head"}
    assert all(text.startswith("\x1b[") and text.endswith("x\x1b[0m") for text in painted.values())
    assert len(set(painted.values())) == len(painted)


def test_progress_is_told_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress() as tell:
        tell(10_000, 50_000)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress() as tell:
        tell(10_000, 50_000)
    assert capsys.readouterr().err == "\rringback: read 10,000 of about 50,000 records\r\x1b[K"
