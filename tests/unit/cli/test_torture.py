"""What `ringback torture` refuses before it makes anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.main import run

SERVERS = "test-cluster.example:9092"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGBACK_BOOTSTRAP_SERVERS", SERVERS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--yes", "--kills", "1", "--wipes", "2"), "only 1 are killed"),
        (("--yes", "--workers", "1"), "nobody takes over from a single worker"),
        (("--yes", "--workers", "4", "--partitions", "4"), "too few"),
        (("--embedded", "--restart-broker", "true"), "--restart-broker"),
        (("--yes", "--json", "."), "--json .: cannot be written"),
        (("--embedded", "--json", "missing/ledger.json"), "cannot be written"),
        (("--json", "ledger.json"), f"the cluster at {SERVERS}"),
        ((), "--yes"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    given: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["torture", *given]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
