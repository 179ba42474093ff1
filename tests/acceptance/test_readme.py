"""The pages that take a reader by the hand, command by command as they are written there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.local import server
from streams.local.broker import EmbeddedBroker
from tests.support.processes import ROOT
from tests.support.walkthrough import Shell, Step, steps


@pytest.fixture
def bootstrap(tmp_path: Path) -> Iterator[str]:
    """A broker of its own: the input topics of the pages have no prefix."""
    with EmbeddedBroker(tmp_path / "kafka") as running:
        yield running.bootstrap


@pytest.fixture
def shell(tmp_path: Path, bootstrap: str) -> Iterator[Shell]:
    """A shell in a fresh checkout, with our broker and a free port for the ones of the pages."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    port = server.free_port()
    for path in (folder / "deploy" / "examples").rglob("*.yaml"):
        path.write_text(path.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    ours = {"127.0.0.1:9092": bootstrap, "127.0.0.1:8000": f"127.0.0.1:{port}", "--port 8000": f"--port {port}"}
    running = Shell(folder, ours)
    yield running
    running.end()


def by_hand() -> list[Step]:
    """The steps of the README's section."""
    (section,) = re.findall(r"^## A first postback by hand\n(.*?)^## ", (ROOT / "README.md").read_text(), re.M | re.S)
    return list(steps(section))


@pytest.mark.timeout(300)
def test_the_first_postback_by_hand(shell: Shell) -> None:
    written = by_hand()
    assert sum(step.shown is not None for step in written) == 4
    assert written[-1].commands.startswith("kill")
    for step in written:
        shell.follow(step)


@pytest.mark.timeout(300)
def test_the_tour(shell: Shell) -> None:
    written = list(steps((ROOT / "docs" / "tutorial.md").read_text()))
    assert sum(step.shown is not None for step in written) > 10
    for step in written:
        shell.follow(step)
