"""Secrets are resolved where they are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.delivery.secrets import REFRESH, SecretMissing, Secrets


def test_the_environment_and_files_hold_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACME_KEY", "one")
    (tmp_path / "key").write_text("two\n")
    secrets = Secrets()
    assert secrets("env:ACME_KEY") == "one"
    assert secrets(f"file:{tmp_path}/key") == "two"


@pytest.mark.parametrize("reference", ["env:NOT_SET_ANYWHERE", "file:/not/there", "vault:x", "", "env:"])
def test_a_missing_secret_names_its_reference_only(reference: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        Secrets()(reference)
    assert caught.value.reference == reference


def test_a_rotated_secret_needs_no_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    secrets = Secrets(lambda: now[0])
    monkeypatch.setenv("ACME_KEY", "old")
    assert secrets("env:ACME_KEY") == "old"
    monkeypatch.setenv("ACME_KEY", "new")
    assert secrets("env:ACME_KEY") == "old"
    now[0] = REFRESH + 1
    assert secrets("env:ACME_KEY") == "new"
