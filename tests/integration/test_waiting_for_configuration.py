"""SIGTERM before the first configuration (faults S5)."""

from __future__ import annotations

import time

import pytest

from streams.settings import Settings
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.waiting import eventually


@pytest.mark.parametrize("command", ["worker", "sender"])
def test_it_ends_in_order_while_it_waits_for_a_configuration(settings: Settings, start: Start, command: str) -> None:
    Bench(settings).create()
    process = start(command)
    eventually(lambda: "waiting for" in process.output(), within=60)
    time.sleep(0.5)
    assert process.end(10) == 0, process.output()
    assert "Traceback" not in process.output()
