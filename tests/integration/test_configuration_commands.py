"""`ringback plan`, `apply` and `export` on the real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import RUNTIME, USAGE
from tests.support.commands import Run, ringback

__all__ = ["ringback"]

GAME = "apps: [{id: game, project: p, platform: android}]\n"
OTHER = "apps: [{id: other, project: p, platform: ios}]\n"


def test_what_is_applied_is_in_force_and_can_be_exported_and_applied_again(ringback: Run, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "apps.yaml").write_text(GAME)

    status, out, err = ringback("plan", str(files))
    assert (status, "app game: added" in out) == (0, True), err
    assert ringback("plan", str(files))[1] == out

    status, out, err = ringback("apply", str(files))
    assert (status, "app game: added" in out, "generation 1 is in force" in out) == (0, True, True), err
    assert ringback("plan", str(files))[:2] == (0, "nothing to change\n")

    assert ringback("export", str(tmp_path / "back"))[0] == 0
    status, out, _ = ringback("apply", str(tmp_path / "back"))
    assert (status, out) == (0, "generation 1 is in force already; nothing to change\n")


def test_removing_needs_prune(ringback: Run, tmp_path: Path) -> None:
    file = tmp_path / "apps.yaml"
    file.write_text(GAME)
    assert ringback("apply", str(file))[0] == 0
    file.write_text(OTHER)
    status, out, err = ringback("plan", str(file))
    assert (status, "app game: removed" in out, "--prune" in err) == (0, True, True)
    status, _, err = ringback("apply", str(file))
    assert status == USAGE
    assert "app game: removed" in err
    assert "--prune" in err
    status, out, _ = ringback("apply", str(file), "--prune")
    assert (status, "app game: removed" in out) == (0, True)


def test_mistakes_are_told_with_their_place_before_kafka_is_asked(
    ringback: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "apps.yaml"
    file.write_text("apps: [{id: game, project: p, platfrm: android}]\n")
    status, _, err = ringback("-b", "127.0.0.1:1", "apply", str(file))
    assert status == USAGE
    assert f"{file}:1:" in err
    assert "did you mean platform" in err
    monkeypatch.undo()


def test_without_a_configuration_there_is_nothing_to_export(ringback: Run, tmp_path: Path) -> None:
    status, _, err = ringback("export", str(tmp_path / "back"))
    assert status == RUNTIME
    assert "Traceback" not in err
