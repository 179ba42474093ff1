"""The README's first postback, command by command as it is written there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local.broker import EmbeddedBroker
from streams.local.partner import Partner
from tests.support.processes import ROOT, Start
from tests.support.waiting import eventually

CONFIG = "deploy/examples/first-postback/config"


@pytest.fixture
def bootstrap(tmp_path: Path) -> Iterator[str]:
    """A broker of its own: the README's input topics have no prefix."""
    with EmbeddedBroker(tmp_path / "kafka") as running:
        yield running.bootstrap


def commands() -> list[str]:
    """The lines of the README's code blocks that call our command."""
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("ringback ")]


def to_partner(folder: Path, partner: Partner) -> Path:
    """The README's configuration, with this test's partner for the one on port 8000."""
    text = (ROOT / CONFIG / "game.yaml").read_text()
    assert "http://127.0.0.1:8000/" in text
    folder.mkdir()
    (folder / "game.yaml").write_text(text.replace("http://127.0.0.1:8000/", partner.url("/")))
    return folder


def test_the_first_postback_by_hand(
    start: Start, partner: Partner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    config = to_partner(tmp_path / "config", partner)
    written = commands()
    assert len(written) == 6
    for line in written:
        words = shlex.split(line.removesuffix("&").replace(CONFIG, str(config)))[1:]
        process = start(*words)
        if not line.endswith("&"):
            assert process.wait(60) == 0, process.log_tail()
    eventually(lambda: len(partner.requests) >= 2, within=60, what="two postbacks at the partner")
    install, payment = sorted(partner.requests, key=lambda request: request.path)
    assert install.path == "/install"
    assert install.query.startswith("click_id=clk-5e2f&device=")
    assert payment.target == "/payment?click_id=clk-5e2f&payout=9.99&currency=EUR"
    assert install.job_id
    assert install.job_id != payment.job_id
