"""Processes that are started before the configuration, or before their topics (faults S5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import RUNTIME
from streams.settings import Settings
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.waiting import eventually


@pytest.mark.parametrize("command", ["worker", "sender"])
def test_it_ends_in_order_while_it_waits_for_a_configuration(settings: Settings, start: Start, command: str) -> None:
    Bench(settings).create()
    process = start(command)
    eventually(lambda: "there is no configuration yet" in process.output(), within=60)
    assert process.end(10) == 0, process.output()
    assert "Traceback" not in process.output()


def test_a_sender_without_its_topics_ends_with_the_remedy(settings: Settings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps: [{id: game, project: p, platform: android}]\n")
    applied = start("apply", str(tmp_path / "apps.yaml"))
    assert applied.wait(60) == 0, applied.output()
    sender = start("sender")
    assert sender.wait(25) == RUNTIME, sender.output()
    assert "topics are missing" in sender.output()
    assert "ringback topics create" in sender.output()
    assert "Traceback" not in sender.output()
