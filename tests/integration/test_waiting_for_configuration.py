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


def test_a_sender_without_kafka_does_not_say_that_there_is_no_configuration(start: Start) -> None:
    sender = start("sender", RINGBACK_BOOTSTRAP_SERVERS="127.0.0.1:9")
    eventually(lambda: "the configuration could not be read yet: Kafka is away" in sender.output(), within=60)
    assert "there is no configuration yet" not in sender.output()
    assert sender.end(10) == 0, sender.output()


def test_a_sender_without_its_topics_ends_with_the_remedy(settings: Settings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps: [{id: game, project: p, platform: android}]\n")
    applied = start("apply", str(tmp_path / "apps.yaml"))
    assert applied.wait(60) == 0, applied.output()
    sender = start("sender")
    assert sender.wait(25) == RUNTIME, sender.output()
    assert "topics are missing" in sender.output()
    assert "ringback topics create" in sender.output()
    assert "Traceback" not in sender.output()
